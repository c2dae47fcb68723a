"""Folds that no page straddles, balanced by label and family, and a split of known pages."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from trainer.manifest import CLASSICAL_FAMILIES, DataError, Row

Int64s: TypeAlias = npt.NDArray[np.int64]

LABEL_WEIGHT = 8.0  # both labels in every fold matter more than any one family
SPEAKER_WEIGHT = 2.0
SAME_PAGE_SHARE = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """One turn of cross-validation: indices into the rows."""

    number: int
    train: Int64s
    test: Int64s


def assign_folds(rows: Sequence[Row], folds: int = 3) -> Int64s:
    """The fold of every row [R]: whole pages, and pages that share an utterance together.

    Greedy from the largest group down: each goes where label and family counts stay nearest to
    equal shares. Speakers pull a group towards the fold where they already are; they cannot be
    made to stay in one, because public corpora share a few voices across most pages. Rows of our
    own making follow their page and weigh nothing, so that making more of them moves no page.
    """
    found = [i for i, row in enumerate(rows) if not row.is_pair]
    groups = [[found[i] for i in members] for members in _groups([rows[i] for i in found])]
    if len(groups) < folds:
        raise DataError(f"{len(groups)} page groups cannot make {folds} folds; want more pages")
    totals: Counter[str] = Counter()
    for i in found:
        totals.update((rows[i].label, rows[i].family))
    filled: list[Counter[str]] = [Counter() for _ in range(folds)]
    voices: list[Counter[str]] = [Counter() for _ in range(folds)]
    result = np.full(len(rows), -1, dtype=np.int64)
    for members in sorted(groups, key=lambda members: (-len(members), members[0])):
        content: Counter[str] = Counter()
        speakers = Counter(rows[i].speaker for i in members if rows[i].speaker)
        for i in members:
            content.update((rows[i].label, rows[i].family))

        def cost(
            fold: int, content: Counter[str] = content, speakers: Counter[str] = speakers
        ) -> float:
            growth = sum(
                (LABEL_WEIGHT if key in ("bonafide", "synthetic") else 1.0)
                * ((filled[fold][key] + n) ** 2 - filled[fold][key] ** 2)
                / (totals[key] / folds) ** 2
                for key, n in content.items()
            )
            elsewhere = sum(
                n
                for speaker, n in speakers.items()
                if any(voices[other][speaker] for other in range(folds) if other != fold)
                and not voices[fold][speaker]
            )
            return growth + SPEAKER_WEIGHT * elsewhere / len(rows) * folds

        best = min(range(folds), key=cost)
        filled[best].update(content)
        voices[best].update(speakers)
        result[members] = best
    home = {rows[i].page: int(result[i]) for i in found}
    for i, row in enumerate(rows):
        if row.is_pair:
            if row.page not in home:
                raise DataError(
                    f"{row.path}: made from a clip of page {row.page!r}, of which no clip is here; "
                    "prepare the corpus and its pairs together"
                )
            result[i] = home[row.page]
    check_folds(rows, result)
    return result


def each_fold(rows: Sequence[Row], assigned: Int64s) -> list[Fold]:
    """Every fold's training and test rows; rows of our own making are for training alone."""
    check_folds(rows, assigned)
    found = np.array([not row.is_pair for row in rows])
    return [
        Fold(fold, np.flatnonzero(assigned != fold), np.flatnonzero((assigned == fold) & found))
        for fold in range(int(assigned.max()) + 1)
    ]


def same_page_split(
    rows: Sequence[Row], seed: int = 0, *, share: float = SAME_PAGE_SHARE
) -> tuple[Int64s, Int64s]:
    """Rows to train on and rows to test on where every page is known, and every source on it.

    Of each page about `share` of the clips is held out by whole utterances, never the last clip of
    a source there. A page's draw depends on the seed and its own clips alone. A row of our own
    making is never tested, and trained on only if the clip it was made from is.
    """
    pages: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for i, row in enumerate(rows):
        if not row.is_pair:
            pages[row.page][_utterance(row)].append(i)
    held: set[int] = set()
    for page, utterances in pages.items():
        left = Counter(rows[i].source for members in utterances.values() for i in members)
        wanted = share * left.total()
        # The last utterance is often too big a step: a toss makes the share right on average.
        toss = _draw(seed, page, "")
        for name in sorted(utterances, key=lambda name: _draw(seed, page, name)):
            members = utterances[name]
            taken = Counter(rows[i].source for i in members)
            if any(left[source] <= n for source, n in taken.items()):
                continue
            if len(members) > wanted and toss >= wanted / len(members):
                break
            held.update(members)
            left -= taken
            wanted -= len(members)
            if wanted <= 0:
                break
    away = {_utterance(rows[i]) for i in held}
    train = [
        i
        for i, row in enumerate(rows)
        if i not in held and not (row.is_pair and _utterance(row) in away)
    ]
    return np.array(train, dtype=np.int64), np.array(sorted(held), dtype=np.int64)


def check_folds(rows: Sequence[Row], assigned: Int64s) -> None:
    """Refuse folds that split a page, or that hold one label only."""
    if len(rows) != len(assigned):
        raise DataError(f"{len(assigned)} folds for {len(rows)} rows; want one each")
    home: dict[str, tuple[int, Row]] = {}
    labels: dict[int, set[str]] = defaultdict(set)
    for row, fold in zip(rows, assigned.tolist(), strict=True):
        first, witness = home.setdefault(row.page, (fold, row))
        if first != fold:
            raise DataError(
                f"page {row.page!r} is in folds {first} ({witness.path}) and {fold} ({row.path}); "
                "a page may lie in one fold only"
            )
        labels[fold].add(row.label)
    for fold, found in sorted(labels.items()):
        if len(found) < 2:
            raise DataError(f"fold {fold} holds only {found.pop()} clips; want both labels")


def _utterance(row: Row) -> str:
    """What a clip and all that was made of it or beside it share."""
    if row.parallel_id:
        return f"utterance {row.parallel_id}"
    return f"clip {row.original_sha256 or row.sha256}"


def _draw(seed: int, page: str, name: str) -> float:
    """A number in [0, 1) that depends on nothing but what is named."""
    digest = hashlib.sha256(f"{seed}\n{page}\n{name}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def _groups(rows: Sequence[Row]) -> list[list[int]]:
    """Row indices by page; pages that share an utterance or a voice database are merged."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            name = parent[name]
        return name

    for row in rows:
        page = root(f"page {row.page}")
        if row.parallel_id:
            parent[root(f"utterance {row.parallel_id}")] = page
        if row.family in CLASSICAL_FAMILIES and row.speaker:
            # Here the speaker is the database that the engine cuts its sounds from: two engines
            # over one database are one recording chain.
            parent[root(f"database {row.speaker}")] = root(page)
    groups: dict[str, list[int]] = defaultdict(list)
    for i, row in enumerate(rows):
        groups[root(f"page {row.page}")].append(i)
    return list(groups.values())
