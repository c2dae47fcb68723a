"""Whether a window encoded from scratch says what the cached steps say of the same window."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from benchmarks.peers.reencode import WindowEncoder
from streamtrace.audio.steps import Stepper
from streamtrace.encoder.bundle import Bundle
from streamtrace.encoder.runner import CpuRunner, StepBatch
from streamtrace.fusion.model import TraceModel
from streamtrace.fusion.policy import decide
from streamtrace.tracing.accumulate import pool_frames, statistics
from streamtrace.tracing.logits import log_sigmoid
from streamtrace.values import (
    CONTEXT_SAMPLES,
    FRAME_MS,
    WINDOW_STEPS,
    AudioChunk,
    Bools,
    Float32s,
    Step,
    Verdict,
)


@dataclass(frozen=True, slots=True)
class Hop:
    """What both make of the window behind one hop."""

    step_index: int  # of the window's last step
    cached: Verdict
    anew: Verdict
    cached_probability: float
    anew_probability: float

    @property
    def agrees(self) -> bool:
        """Whether the verdicts are the same."""
        return self.cached is self.anew

    @property
    def difference(self) -> float:
        """Between the spoof probabilities, without sign."""
        return abs(self.cached_probability - self.anew_probability)


class Comparison:
    """Plays clips to both encoders; both pool the same frames and ask the same model and policy.

    A leg's very first window is the same to both: nothing lies before it. Behind it the cached
    encoder knows more, since a frame of its window may look at what came before the window.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._model = bundle.trace_model
        self._runner = CpuRunner(bundle, slots=1)
        self._encoder = WindowEncoder(bundle)

    def hops(self, pcm: Float32s) -> list[Hop]:
        """[T] -> every hop that has a whole window behind it."""
        self._runner.reset([0])
        window: deque[Step] = deque(maxlen=WINDOW_STEPS)
        found: list[Hop] = []
        for step in Stepper().feed(AudioChunk(0, pcm)).steps:
            window.append(step)
            answers = self._runner.run(StepBatch.of([0], [step]))
            if answers is None or len(window) < WINDOW_STEPS:
                continue
            cached = answers.each()[0].window
            likely = cached.spoof_probability
            held = decide(Verdict.NO_SPEECH, likely, cached.speech_ms, self._model.policy)
            verdict, probability = self._decide_anew(window)
            found.append(Hop(step.index, held, verdict, likely, probability))
        return found

    def _decide_anew(self, window: Iterable[Step]) -> tuple[Verdict, float]:
        steps = list(window)
        pcm = np.concatenate([step.pcm[CONTEXT_SAMPLES:] for step in steps])
        usable = np.concatenate([step.usable for step in steps])
        frames = self._encoder.run(pcm[None])
        return judge_window(
            self._model, frames.embedding[0], frames.attention[0], frames.activity[0], usable
        )


def judge_window(
    model: TraceModel, embedding: Float32s, attention: Float32s, activity: Float32s, usable: Bools
) -> tuple[Verdict, float]:
    """[N, D], [N], [N], [N] -> the verdict on these frames alone, and the spoof probability."""
    pool = pool_frames(embedding, attention + log_sigmoid(activity), usable)
    speech_ms = FRAME_MS * int(np.count_nonzero(usable & (activity > 0)))
    fused = model.answer(statistics(pool)[None], np.array([speech_ms]))
    probability = float(fused.spoof_probability[0])
    return decide(Verdict.NO_SPEECH, probability, speech_ms, model.policy), probability


def behind_the_first(hops: Iterable[Hop]) -> list[Hop]:
    """The hops whose windows have a past, where the two can differ."""
    return [hop for hop in hops if hop.step_index >= WINDOW_STEPS]
