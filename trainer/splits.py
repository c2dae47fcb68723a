"""The splits that figures come from, taken as they are: the doctor tells what is wrong in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trainer.folds import Int64s, assign_folds, same_page_split
from trainer.manifest import DataError, Row, read_table
from trainer.official import rows_by_split

RANDOM_SHARE = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Which rows are trained on and which are judged."""

    name: str
    train: Int64s
    test: Int64s
    by_page: bool  # promises that no page is on both sides
    by_utterance: bool  # promises that no utterance is


def own_splits(rows: Sequence[Row], folds: int, seed: int = 0) -> list[Split]:
    """The folds by page, the rows' own split if they have one, the same-page split, and the random
    one that nobody should report."""
    assigned = assign_folds(rows, folds)
    train, test = same_page_split(rows, seed)
    found = np.flatnonzero([not row.is_pair for row in rows])
    shuffled = np.random.default_rng(seed).permutation(found)
    count = round(RANDOM_SHARE * len(found))
    return [
        *splits_of(rows, assigned),
        *_official(rows),
        Split("same page", train, test, by_page=False, by_utterance=True),
        Split(
            "random",
            np.sort(shuffled[count:]),
            np.sort(shuffled[:count]),
            by_page=False,
            by_utterance=False,
        ),
    ]


def _official(rows: Sequence[Row]) -> list[Split]:
    found = rows_by_split(rows)
    if not found.train or not found.judged:
        return []
    train, test = (np.array(part, np.int64) for part in (found.train, found.judged))
    return [Split("official", train, test, by_page=False, by_utterance=False)]


def splits_of(rows: Sequence[Row], assigned: Int64s) -> list[Split]:
    """Each fold against the others; rows of our own making are never judged."""
    found = np.array([not row.is_pair for row in rows])
    return [
        Split(
            f"fold {fold}",
            np.flatnonzero(assigned != fold),
            np.flatnonzero((assigned == fold) & found),
            by_page=True,
            by_utterance=True,
        )
        for fold in sorted(set(assigned.tolist()))
    ]


def read_folds(path: Path, rows: Sequence[Row]) -> Int64s:
    """Somebody's own folds: a table with the columns fold and sha256 (or path), a row a clip."""
    table = read_table(path, ("fold", "sha256", "path"), optional=("sha256", "path"))
    folds: dict[str, tuple[int, int]] = {}
    for number, cells in table:
        key = cells["sha256"] or cells["path"]
        if not key or not cells["fold"].isdecimal():
            raise DataError(
                f"{path}, row {number}: want sha256 or path, and a fold that is a whole number"
            )
        before = folds.setdefault(key, (int(cells["fold"]), number))
        if before[0] != int(cells["fold"]):
            raise DataError(
                f"{path}, rows {before[1]} and {number}: {key} is in folds {before[0]} and "
                f"{cells['fold']}; want one"
            )
    result = np.full(len(rows), -1, dtype=np.int64)
    for i, row in enumerate(rows):
        fold = folds.get(row.sha256) or folds.get(row.path)
        if fold is None:
            raise DataError(f"{path}: has no row for {row.path} (sha256 {row.sha256})")
        result[i] = fold[0]
    return result
