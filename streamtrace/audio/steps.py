"""Cutting a leg's audio into encoder steps on the leg's own grid, with every loss in the open."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streamtrace.audio.activity import loud_frames
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
        self._position: int | None = None  # where the next sample belongs; None before the first
        self._index = 0  # of the step being filled
        self._fresh = True
        self._pcm = np.zeros(_BUFFER, np.float32)
        self._real = np.ones(_BUFFER, np.bool_)  # False where `_pcm` holds filling

    @property
    def position(self) -> int | None:
        """The position right behind the last sample; None before the first."""
        return self._position

    def feed(self, chunk: AudioChunk, *, is_behind: bool = False) -> StepperOutput:
        """Take audio that lies behind what came before; what overlaps it is left out.

        With `is_behind` a gap in front of it is the engine's own doing.
        """
        output = StepperOutput([], [])
        if not len(chunk.pcm):
            return output
        if self._position is None:
            self._begin(chunk.start_sample, context_real=True)
        position = self._position or 0
        pcm = chunk.pcm[max(0, position - chunk.start_sample) :]
        if chunk.start_sample > position:
            output.gaps.append(Gap(position, chunk.start_sample))
            self._pass_gap(chunk.start_sample, output.steps, is_behind=is_behind)
        self._fill(pcm, output.steps)
        return output

    def flush(self) -> StepperOutput:
        """The last step, padded; call it once, when nothing follows."""
        output = StepperOutput([], [])
        if self._position is not None and self._position > self._index * STEP_SAMPLES:
            self._blank((self._index + 1) * STEP_SAMPLES - self._position, output.steps)
        return output

    def _begin(self, position: int, *, context_real: bool) -> None:
        """Start at a step of its own, with empty context; what it has before `position` is none."""
        self._position = position
        self._index = position // STEP_SAMPLES
        self._fresh = True
        offset = CONTEXT_SAMPLES + position - self._index * STEP_SAMPLES
        self._pcm[:offset] = 0.0
        self._real[:CONTEXT_SAMPLES] = context_real
        self._real[CONTEXT_SAMPLES:offset] = False

    def _pass_gap(self, end: int, steps: list[Step], *, is_behind: bool) -> None:
        start = self._position or 0
        holds_a_step = end // STEP_SAMPLES > -(-start // STEP_SAMPLES)
        if end - start <= LONGEST_FILLED and not (is_behind and holds_a_step):
            self._blank(end - start, steps)
            return
        filled = start - self._index * STEP_SAMPLES
        if filled:
            self._blank(STEP_SAMPLES - filled, steps)
        self._begin(end, context_real=False)

    def _blank(self, count: int, steps: list[Step]) -> None:
        while count:
            taken = min(count, self._room())
            at = self._offset()
            self._pcm[at : at + taken] = 0.0
            self._real[at : at + taken] = False
            count -= taken
            self._advance(taken, steps)

    def _fill(self, pcm: Float32s, steps: list[Step]) -> None:
        while len(pcm):
            taken = min(len(pcm), self._room())
            at = self._offset()
            self._pcm[at : at + taken] = pcm[:taken]
            self._real[at : at + taken] = True
            pcm = pcm[taken:]
            self._advance(taken, steps)

    def _offset(self) -> int:
        """Where in the buffer the next sample belongs."""
        return CONTEXT_SAMPLES + (self._position or 0) - self._index * STEP_SAMPLES

    def _room(self) -> int:
        return _BUFFER - self._offset()

    def _advance(self, count: int, steps: list[Step]) -> None:
        self._position = (self._position or 0) + count
        if self._offset() < _BUFFER:
            return
        whole = finite(self._pcm)
        usable = loud_frames(whole[CONTEXT_SAMPLES:]) & _wholly_real(self._real)
        ends_hop = (self._index + 1) % HOP_STEPS == 0
        steps.append(Step(self._index, whole, usable, self._fresh, wanted=ends_hop))
        # The step keeps the buffer; the next one begins with its tail as context.
        self._pcm = np.empty(_BUFFER, np.float32)
        self._pcm[:CONTEXT_SAMPLES] = whole[-CONTEXT_SAMPLES:]
        self._real[:CONTEXT_SAMPLES] = self._real[-CONTEXT_SAMPLES:]
        self._index += 1
        self._fresh = False


def _wholly_real(real: Bools) -> Bools:
    """[CONTEXT_SAMPLES + STEP_SAMPLES] -> [STEP_FRAMES]: frames real with all their context."""
    usable = np.empty(STEP_FRAMES, np.bool_)
    if real.all():
        usable[:] = True
        return usable
    for frame in range(STEP_FRAMES):
        start = frame * FRAME_SAMPLES
        usable[frame] = real[start : start + CONTEXT_SAMPLES + FRAME_SAMPLES].all()
    return usable
