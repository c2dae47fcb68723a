"""The prepared clips, and which of them a run may see."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from trainer.audio_cache import Clips
from trainer.folds import assign_folds, each_fold
from trainer.manifest import Row


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """What `prepare` wrote, with its folds by page."""

    clips: Clips
    rows: tuple[Row, ...] = field(init=False)

    def __post_init__(self) -> None:
        """The rows are the clips' own."""
        object.__setattr__(self, "rows", self.clips.rows)

    @staticmethod
    def load(folder: Path) -> Dataset:
        """Map the audio and read the manifest of a prepared folder."""
        return Dataset(Clips.load(folder))

    def training_rows(self, folds: int, hold_out: int) -> list[int]:
        """All rows, or all but one fold's."""
        if hold_out < 0:
            return list(range(len(self.rows)))
        return [int(i) for i in _folds(self.rows, folds)[hold_out][0]]

    def held_out_rows(self, folds: int, hold_out: int) -> list[int]:
        """The rows of one fold: whole pages that its training never sees."""
        return [int(i) for i in _folds(self.rows, folds)[hold_out][1]]


@cache
def _folds(rows: tuple[Row, ...], folds: int) -> list[tuple[list[int], list[int]]]:
    split = each_fold(rows, assign_folds(rows, folds))
    return [(fold.train.tolist(), fold.test.tolist()) for fold in split]
