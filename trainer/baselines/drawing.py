"""What a step of a baseline's training sees: labels alike, pages by their root, both lines.

The weights are those of the model's own members: without them a few large pages, or engines and
prompts of which there are plenty, would be most of what is learnt.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from streamtrace.values import Float32s
from trainer.baselines.interface import Lesson
from trainer.baselines.spectra import FrontEnd
from trainer.ensemble import row_weights
from trainer.member_config import EnsembleConfig

Ints = npt.NDArray[np.int64]


class Draws:
    """Seeded: the same lesson and seed give the same crops."""

    def __init__(self, lesson: Lesson, front: FrontEnd, seed: int) -> None:
        self._lesson, self._front = lesson, front
        self._weight = row_weights(lesson.rows, EnsembleConfig())
        self.random = np.random.default_rng(seed)

    def rows(self, count: int, among: npt.NDArray[np.bool_] | None = None) -> Ints:
        """[count] places in the lesson, by weight, of all rows or of those in a mask."""
        weight = self._weight if among is None else self._weight * among
        return self.random.choice(len(weight), count, p=weight / weight.sum())

    def crops(self, rows: Sequence[int] | Ints, frames: int) -> Float32s:
        """[B, frames, width]: a random stretch of each, clean or over any line of the run."""
        hearing = self._lesson.hearing
        found: list[Float32s] = []
        for row in rows:
            line = hearing.lines[int(self.random.integers(len(hearing.lines)))]
            whole = hearing.frames(self._front, self._lesson.train[int(row)], line)
            start = int(self.random.integers(max(1, len(whole) - frames + 1)))
            found.append(tiled(whole[start : start + frames], frames))
        return np.stack(found)

    def scales(self, count: int = 200) -> tuple[Float32s, Float32s]:
        """[width] mean and deviation of frames, from so many clips."""
        some = self.crops(self.rows(count), 50).reshape(-1, self._front.width)
        return some.mean(axis=0), some.std(axis=0) + np.float32(1e-3)


def tiled(frames: Float32s, count: int) -> Float32s:
    """[N, W] -> [count, W]: cut, or said again until it is full; never filled with zeros."""
    return frames[np.arange(count) % len(frames)]


def last_frames(frames: Float32s, count: int) -> Float32s:
    """[N, W] -> [count, W]: the last of what was heard, or all of it again and again."""
    return tiled(frames[-count:], count)
