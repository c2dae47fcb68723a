"""Cutting a leg's audio into encoder steps on the leg's own grid, with every loss in the open."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

import numpy as np

from streamtrace.audio.activity import frame_powers, loud
from streamtrace.audio.finite import finite
from streamtrace.values import (
    CONTEXT_SAMPLES,
    FRAME_SAMPLES,
    HOP_STEPS,
    STEP_FRAMES,
    STEP_SAMPLES,
    WINDOW_STEPS,
    AudioChunk,
    Bools,
    Float32s,
    Step,
)

LONGEST_FILLED = WINDOW_STEPS * STEP_SAMPLES  # behind a longer gap no window sees both sides

_BUFFER = CONTEXT_SAMPLES + STEP_SAMPLES


@dataclass(frozen=True, slots=True)
class Gap:
    """Audio that never came: positions in the leg at 16 kHz."""

    start_sample: int
    end_sample: int


@dataclass(frozen=True, slots=True, eq=False)
class StepperOutput:
    """What a chunk completed, and what was found missing in front of it."""

    steps: list[Step]
    gaps: list[Gap]


class Stepper:
    """Chunking must not matter: one 2.4 s chunk or 120 of 20 ms give the same ten steps.

    Step `i` holds the samples from `i * STEP_SAMPLES` on, whatever was lost before. A gap of up
    to one window is filled with zeros, so that the encoder's sense of time stays right; behind a
    longer one the encoder starts anew. No frame that reaches into lost audio is usable. What
    lies before a leg's first sample is not lost: the leg had not begun.

    An engine that is behind is not given steps of nothing, or it would stay behind: a gap that it
    made itself and that holds a whole step is left out like one longer than a window.
    """

    def __init__(self) -> None:
        self._has_begun = False
        self._index = 0  # of the step being filled
        self._at = CONTEXT_SAMPLES  # where in the buffer the next sample belongs
        self._fresh = True
        self._pcm = np.zeros(_BUFFER, np.float32)
        self._real: Bools | None = None  # False where `_pcm` holds filling; None: nowhere

    @property
    def position(self) -> int | None:
        """The position right behind the last sample; None before the first."""
        return self._next() if self._has_begun else None

    def feed(self, chunk: AudioChunk, *, is_behind: bool = False) -> StepperOutput:
        """Take audio that lies behind what came before; what overlaps it is left out.

        With `is_behind` a gap in front of it is the engine's own doing.
        """
        output = StepperOutput([], [])
        start, pcm = chunk.start_sample, chunk.pcm
        if not len(pcm):
            return output
        if not self._has_begun:
            self._begin(start, context_real=True)
        position = self._next()
        if start < position:
            pcm = pcm[position - start :]
        elif start > position:
            output.gaps.append(Gap(position, start))
            self._pass_gap(position, start, output.steps, is_behind=is_behind)
        self._fill(pcm, output.steps)
        return output

    def flush(self) -> StepperOutput:
        """The last step, padded; call it once, when nothing follows."""
        output = StepperOutput([], [])
        if self._has_begun and self._at > CONTEXT_SAMPLES:
            self._blank(_BUFFER - self._at, output.steps)
        return output

    def _next(self) -> int:
        """Where the next sample belongs in the leg."""
        return self._index * STEP_SAMPLES + self._at - CONTEXT_SAMPLES

    def _begin(self, position: int, *, context_real: bool) -> None:
        """Start at a step of its own, with empty context; what it has before `position` is none."""
        self._has_begun = True
        self._index, offset = divmod(position, STEP_SAMPLES)
        self._at = CONTEXT_SAMPLES + offset
        self._fresh = True
        self._pcm[: self._at] = 0.0
        self._real = None
        if not context_real:
            self._fill_from(0, CONTEXT_SAMPLES)
        if offset:
            self._fill_from(CONTEXT_SAMPLES, self._at)

    def _pass_gap(self, start: int, end: int, steps: list[Step], *, is_behind: bool) -> None:
        holds_a_step = end // STEP_SAMPLES > -(-start // STEP_SAMPLES)
        if end - start <= LONGEST_FILLED and not (is_behind and holds_a_step):
            self._blank(end - start, steps)
            return
        if self._at > CONTEXT_SAMPLES:
            self._blank(_BUFFER - self._at, steps)
        self._begin(end, context_real=False)

    def _blank(self, count: int, steps: list[Step]) -> None:
        while count:
            end = min(self._at + count, _BUFFER)
            self._pcm[self._at : end] = 0.0
            self._fill_from(self._at, end)
            count -= end - self._at
            self._advance(end, steps)

    def _fill_from(self, at: int, end: int) -> None:
        """Note what is filling; where none is, as nearly always, nobody need look for it."""
        if self._real is None:
            self._real = np.ones(_BUFFER, np.bool_)
        self._real[at:end] = False

    def _fill(self, pcm: Float32s, steps: list[Step]) -> None:
        at, count = 0, len(pcm)
        while at < count:
            taken = min(count - at, _BUFFER - self._at)
            end = self._at + taken
            self._pcm[self._at : end] = pcm[at : at + taken]
            if self._real is not None:
                self._real[self._at : end] = True
            at += taken
            self._advance(end, steps)

    def _advance(self, end: int, steps: list[Step]) -> None:
        self._at = end
        if end < _BUFFER:
            return
        whole = self._pcm
        power = frame_powers(whole[CONTEXT_SAMPLES:])  # the context was looked at with its step
        if not isfinite(sum(power.tolist())):
            whole = finite(whole)
            power = frame_powers(whole[CONTEXT_SAMPLES:])
        usable = loud(power)
        real = self._real
        if real is not None:
            usable &= _wholly_real(real)
            real[:CONTEXT_SAMPLES] = real[-CONTEXT_SAMPLES:]
            if real[:CONTEXT_SAMPLES].all():
                self._real = None
        ends_hop = (self._index + 1) % HOP_STEPS == 0
        steps.append(Step(self._index, whole, usable, self._fresh, wanted=ends_hop))
        # The step keeps the buffer; the next one begins with its tail as context.
        self._pcm = np.empty(_BUFFER, np.float32)
        self._pcm[:CONTEXT_SAMPLES] = whole[-CONTEXT_SAMPLES:]
        self._index += 1
        self._at = CONTEXT_SAMPLES
        self._fresh = False


def _wholly_real(real: Bools) -> Bools:
    """[CONTEXT_SAMPLES + STEP_SAMPLES] -> [STEP_FRAMES]: frames real with all their context."""
    usable = np.empty(STEP_FRAMES, np.bool_)
    for frame in range(STEP_FRAMES):
        start = frame * FRAME_SAMPLES
        usable[frame] = real[start : start + CONTEXT_SAMPLES + FRAME_SAMPLES].all()
    return usable
