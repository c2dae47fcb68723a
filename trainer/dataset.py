"""The prepared clips, and which of them a run may see."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from trainer.audio_cache import Clips
from trainer.config import NOTHING, OFFICIAL, SAME_PAGE
from trainer.folds import assign_folds, each_fold, same_page_split
from trainer.manifest import Row
from trainer.official import official_split


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """What `prepare` wrote, with its folds by page."""

    clips: Clips
    chosen: frozenset[int] | None = None  # what alone is seen and judged; folds are of all rows
    rows: tuple[Row, ...] = field(init=False)

    def __post_init__(self) -> None:
        """The rows are the clips' own."""
        object.__setattr__(self, "rows", self.clips.rows)

    @staticmethod
    def load(folder: Path) -> Dataset:
        """Map the audio and read the manifest of a prepared folder."""
        return Dataset(Clips.load(folder))

    def only(self, chosen: frozenset[int]) -> Dataset:
        """The same rows in the same folds, of which runs see and judge some alone."""
        return replace(self, chosen=chosen)

    def training_rows(self, folds: int, hold_out: int) -> list[int]:
        """All rows, all but one fold's (0 and up), all but a share of every page (-2), or what the
        rows' own corpora train on (-3)."""
        return self._split(folds, hold_out)[0]

    def held_out_rows(self, folds: int, hold_out: int) -> list[int]:
        """The rows of one fold, whole pages that its training never sees; or a share of each page;
        or the dev and eval splits of the rows' own corpora, in this order.

        Clips of this project's own making are for training and never among them.
        """
        return self._split(folds, hold_out)[1]

    def held_out_pairs(self, folds: int, hold_out: int) -> list[int]:
        """What was made out of one fold's human clips: a track of its own, never in a headline."""
        pages = {self.rows[i].page for i in self.held_out_rows(folds, hold_out)}
        return [i for i, row in enumerate(self.rows) if row.is_pair and row.page in pages]

    def _split(self, folds: int, hold_out: int) -> tuple[list[int], list[int]]:
        if hold_out == NOTHING:
            split: tuple[list[int], list[int]] = list(range(len(self.rows))), []
        elif hold_out == SAME_PAGE:
            split = _same_page(self.rows)
        elif hold_out == OFFICIAL:
            own = official_split(self.rows)
            split = list(own.train), [*own.dev, *own.judged]
        else:
            split = _folds(self.rows, folds)[hold_out]
        if self.chosen is None:
            return split
        train, test = ([i for i in part if i in self.chosen] for part in split)
        return train, test


@cache
def _folds(rows: tuple[Row, ...], folds: int) -> list[tuple[list[int], list[int]]]:
    split = each_fold(rows, assign_folds(rows, folds))
    return [(fold.train.tolist(), fold.test.tolist()) for fold in split]


@cache
def _same_page(rows: tuple[Row, ...]) -> tuple[list[int], list[int]]:
    train, test = same_page_split(rows)
    return train.tolist(), test.tolist()
