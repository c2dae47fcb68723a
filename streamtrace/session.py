"""START HERE: one call, without clock, socket or task: audio in, encoder steps and events out.

Whoever drives a session has its steps encoded and feeds the frames back, in order:

    steps, events = session.feed_audio(leg, chunk)
    events += session.feed_frames(leg, frames)  # for each step
    steps = session.finish(leg)                 # the leg's last, padded step, to be fed as well
    events = session.end(reason)                # one final score per leg, then CallEnded
"""

from __future__ import annotations

import numpy as np

from streamtrace.audio.loss import LossMeter
from streamtrace.audio.steps import Stepper
from streamtrace.errors import ProtocolViolation
from streamtrace.events.events import (
    CallEnded,
    CallGap,
    CallMedia,
    CallScore,
    CallStarted,
    Event,
)
from streamtrace.fusion.model import TraceModel
from streamtrace.fusion.policy import decide
from streamtrace.tracing.accumulate import Pool, merge, pool_frames, statistics
from streamtrace.tracing.logits import log_sigmoid
from streamtrace.tracing.windows import SlidingWindow
from streamtrace.values import (
    FRAME_MS,
    HOP_STEPS,
    SAMPLES_PER_MS,
    STEP_SAMPLES,
    WINDOW_STEPS,
    AudioChunk,
    Bools,
    Decision,
    EndReason,
    Frames,
    GapCause,
    Leg,
    Quality,
    Segment,
    Step,
    Verdict,
)


class CallSession:
    """A call tells one story: started; its legs' media, gaps and scores; finals; ended.

    Each leg that was opened gets exactly one final score, even without any audio, and `CallEnded`
    comes last. Audio and frames that arrive after it change nothing.
    """

    def __init__(
        self,
        model: TraceModel,
        *,
        external_id: str | None = None,
        line: str | None = None,
        protocol: str = "api",
    ) -> None:
        self._model = model
        self._started = CallStarted(external_id, line, protocol)
        self._legs: dict[Leg, LegSession] = {}
        self._ended = False

    @property
    def legs(self) -> tuple[Leg, ...]:
        """The legs opened so far, in that order."""
        return tuple(self._legs)

    def start(self) -> list[Event]:
        """The call's first event."""
        return [self._started]

    def open_leg(self, leg: Leg, codec: str, rate_hz: int) -> list[Event]:
        """A party's audio is about to come."""
        if leg in self._legs:
            raise ProtocolViolation(
                f"leg {leg.value!r} is open already; one call carries one stream per leg", 4409
            )
        self._legs[leg] = LegSession(leg, self._model, codec)
        return [CallMedia(leg, codec, rate_hz)]

    def feed_audio(
        self, leg: Leg, chunk: AudioChunk, cause: GapCause = GapCause.LOST
    ) -> tuple[list[Step], list[Event]]:
        """Steps to encode, and a gap if audio is missing in front of the chunk."""
        return ([], []) if self._ended else self._legs[leg].feed_audio(chunk, cause)

    def feed_frames(self, leg: Leg, frames: Frames) -> list[Event]:
        """A score if the step ends a hop."""
        return [] if self._ended else self._legs[leg].feed_frames(frames)

    def finish(self, leg: Leg) -> list[Step]:
        """The leg's last step, padded, if audio is left for one."""
        return [] if self._ended else self._legs[leg].finish()

    def end(self, reason: EndReason, error: str | None = None) -> list[Event]:
        """The last events; a second end has nothing to add."""
        if self._ended:
            return []
        self._ended = True
        finals: list[Event] = [leg.conclude() for leg in self._legs.values()]
        return [*finals, CallEnded(reason, error)]


class LegSession:
    """One party's voice: what was heard of it so far, and what that says.

    The events depend on the audio and its positions alone, not on how it was cut into chunks.
    """

    def __init__(self, leg: Leg, model: TraceModel, codec: str) -> None:
        self._leg = leg
        self._model = model
        self._codec = codec
        self._stepper = Stepper()
        self._loss = LossMeter()
        self._waiting: dict[int, Bools] = {}  # usable frames of the steps now being encoded
        self._begin_sample = 0  # of the first audio
        self._end_sample = 0  # behind the last audio
        self._decided_sample = 0  # behind the last step whose frames were fed
        self._newest_step = -1
        # float64: over hours a float32 sum would lose the newest frames to rounding
        self._call_pool = Pool.empty(model.width, np.float64)
        self._window = SlidingWindow(model.width)
        self._speech_ms = 0
        self._verdict = Verdict.NO_SPEECH
        self._first_verdict_ms: int | None = None
        self._first_synthetic_ms: int | None = None
        self._first_synthetic_speech_ms: int | None = None

    def feed_audio(
        self, chunk: AudioChunk, cause: GapCause = GapCause.LOST
    ) -> tuple[list[Step], list[Event]]:
        """Steps to encode, and a gap if audio is missing in front of the chunk."""
        if not len(chunk.pcm):
            return [], []
        if self._stepper.position is None:
            self._begin_sample = self._decided_sample = chunk.start_sample
        self._end_sample = max(self._end_sample, chunk.end_sample)
        output = self._stepper.feed(chunk)
        events: list[Event] = []
        for gap in output.gaps:
            self._loss.add(gap)
            start_ms, end_ms = (
                gap.start_sample // SAMPLES_PER_MS,
                -(-gap.end_sample // SAMPLES_PER_MS),
            )
            events.append(CallGap(self._leg, start_ms, end_ms, cause))
        return self._await_frames(output.steps), events

    def finish(self) -> list[Step]:
        """The last step, padded, if audio is left for one; nothing may be fed behind it."""
        return self._await_frames(self._stepper.flush().steps)

    def feed_frames(self, frames: Frames) -> list[Event]:
        """Take in what the encoder made of a step; a score if the step ends a hop."""
        usable = self._waiting.pop(frames.index, None)
        if usable is None:
            raise ValueError(f"frames of step {frames.index}, which is not being encoded")
        logits = frames.attention + log_sigmoid(frames.activity)
        pool = pool_frames(frames.embedding, logits, usable)
        speech_ms = FRAME_MS * int(np.count_nonzero(usable & (frames.activity > 0)))
        self._call_pool = merge(self._call_pool, pool)
        self._window.add(frames.index, pool, speech_ms)
        self._speech_ms += speech_ms
        self._newest_step = frames.index
        # The last step is padded: the call did not last as long as its grid.
        self._decided_sample = min((frames.index + 1) * STEP_SAMPLES, self._end_sample)
        if (frames.index + 1) % HOP_STEPS:
            return []
        return [self._score(is_final=False)]

    def conclude(self) -> CallScore:
        """The final score, from all frames fed; its segment is the whole leg."""
        self._decided_sample = self._end_sample
        return self._score(is_final=True)

    def _await_frames(self, steps: list[Step]) -> list[Step]:
        for step in steps:
            self._waiting[step.index] = step.usable
        return steps

    def _score(self, *, is_final: bool) -> CallScore:
        call, window = self._decisions()
        now_ms = self._decided_sample // SAMPLES_PER_MS
        begin_ms = self._begin_sample // SAMPLES_PER_MS
        self._note_firsts(call.verdict, now_ms)
        if is_final:
            segment = Segment(begin_ms, now_ms, self._speech_ms)
        else:
            window_sample = (self._newest_step + 1 - WINDOW_STEPS) * STEP_SAMPLES
            start_ms = max(begin_ms, window_sample // SAMPLES_PER_MS)
            segment = Segment(start_ms, now_ms, window.speech_ms)
        return CallScore(
            leg=self._leg,
            segment=segment,
            is_final=is_final,
            decision=call,
            window_decision=window if self._newest_step >= 0 else None,
            first_verdict_ms=self._first_verdict_ms,
            first_synthetic_ms=self._first_synthetic_ms,
            first_synthetic_speech_ms=self._first_synthetic_speech_ms,
            duration_ms=now_ms - begin_ms,
            quality=self._quality(),
            model=self._model.ref,
            threshold=self._model.policy.threshold,
        )

    def _decisions(self) -> tuple[Decision, Decision]:
        """Of all speech so far, and of the last window: two rows of one batch."""
        window_pool, window_speech_ms = self._window.merged()
        pooled = np.stack([statistics(self._call_pool), statistics(window_pool)])
        speech_ms = (self._speech_ms, window_speech_ms)
        fused = self._model.answer(pooled, np.array(speech_ms))
        policy = self._model.policy
        likely: list[float] = fused.spoof_probability.tolist()
        novelty: list[float] = fused.novelty.tolist()
        self._verdict = decide(self._verdict, likely[0], self._speech_ms, policy)
        # A window stands for itself: it has no verdict to hold on to.
        of_window = decide(Verdict.NO_SPEECH, likely[1], window_speech_ms, policy)
        call, window = (
            Decision(
                verdict=verdict,
                spoof_probability=likely[row],
                attribution=fused.attribution[row],
                families=fused.families[row],
                novelty=novelty[row],
                speech_ms=speech_ms[row],
                catalog=self._model.catalog,
            )
            for row, verdict in enumerate((self._verdict, of_window))
        )
        return call, window

    def _note_firsts(self, verdict: Verdict, now_ms: int) -> None:
        if verdict not in (Verdict.SYNTHETIC, Verdict.BONAFIDE):
            return
        if self._first_verdict_ms is None:
            self._first_verdict_ms = now_ms
        if verdict is Verdict.SYNTHETIC and self._first_synthetic_ms is None:
            self._first_synthetic_ms = now_ms
            self._first_synthetic_speech_ms = self._speech_ms

    def _quality(self) -> Quality:
        heard = self._decided_sample - self._begin_sample
        lost = self._loss.lost_before(self._decided_sample)
        return Quality(self._codec, lost / heard if heard else 0.0, concealed_ms=0)
