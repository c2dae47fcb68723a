"""Which clips share a batch: pairs of one source, humans of the same pages, no page too often.

Batches are made of fours: two synthetic clips of one source, from two pages where that can be, and
two human ones. In matched fours each synthetic clip stands beside the human recording that it was
made from, or that says the same on the same page: only the generator differs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from streamtrace.errors import SettingsError
from trainer.manifest import CLASSICAL_FAMILIES, DataError, Row

NONSPEECH = -1  # stands for a clip in a plan


@dataclass(frozen=True)
class Shares:
    """How a batch is divided."""

    nonspeech: float = 0.08  # of the batch: silence, noise, tones, music
    classical: float = 0.12  # of synthetic pairs: formant, diphone and HMM engines
    prompts: float = 0.12  # of human clips: telephone prompts
    matched: float = 0.5  # of human clips: from the page of one of the batch's synthetic clips
    other_page: float = 0.5  # of pairs whose source has a second page: one clip from each
    pairs: float = 0.5  # of fours: matched ones
    self_made: float = 0.6  # of matched fours: resynthesised by this project, not found in a corpus
    alike: float = 0.7  # of matched clips: with the crop and the channel of their human twin

    def __post_init__(self) -> None:
        """Refuse what is no share."""
        for name, share in vars(self).items():
            if not 0 <= share <= 1:
                raise SettingsError(f"shares.{name}={share}: want a share between 0 and 1")


class Plan(NamedTuple):
    """One batch: its clips, and whose draws decide crop and channel of each."""

    clips: list[int]
    draws: list[int]  # clips with equal numbers are cut and sent alike


def _clips() -> dict[str, list[int]]:
    return defaultdict(list)


@dataclass
class _Pages:
    """Clips of one kind by page; a page counts with the square root of its size."""

    clips: dict[str, list[int]] = field(default_factory=_clips)

    def add(self, page: str, clip: int) -> None:
        self.clips[page].append(clip)

    def count(self) -> int:
        return sum(map(len, self.clips.values()))

    def draw(self, rng: np.random.Generator, *, without: str = "") -> str:
        names = [name for name in self.clips if name != without]
        weights = np.sqrt([len(self.clips[name]) for name in names])
        return names[int(rng.choice(len(names), p=weights / weights.sum()))]


class Sampler:
    """Plans batches over some rows of a manifest; the plan depends on seed and step alone."""

    def __init__(self, rows: Sequence[Row], chosen: Sequence[int], shares: Shares) -> None:
        self._rows = rows
        self._shares = shares
        self._neural, self._classical = _Pages(), _Pages()
        self._humans, self._prompts = _Pages(), _Pages()
        self._of_source: dict[str, _Pages] = defaultdict(_Pages)
        self._of_utterance: dict[str, list[int]] = defaultdict(list)
        for i in chosen:
            row = rows[i]
            # Clips of our own making outnumber all others: they come in matched fours alone.
            if row.is_pair:
                continue
            if row.is_synthetic:
                pages = self._classical if row.family in CLASSICAL_FAMILIES else self._neural
                self._of_source[row.source].add(row.page, i)
            else:
                pages = self._prompts if row.origin.startswith("prompts:") else self._humans
                if row.parallel_id:
                    self._of_utterance[row.parallel_id].append(i)
            pages.add(row.page, i)
        self._twins = twins_of(rows, chosen)
        self._made, self._found = _Pages(), _Pages()  # synthetic clips that have a twin
        self._matched: dict[str, _Pages] = defaultdict(_Pages)  # the same by source
        for i in self._twins:
            (self._made if rows[i].is_pair else self._found).add(rows[i].page, i)
            self._matched[rows[i].source].add(rows[i].page, i)
        for name, groups in (
            ("synthetic", (self._neural, self._classical, self._made)),
            ("bonafide", (self._humans, self._prompts)),
        ):
            if not any(group.clips for group in groups):
                raise DataError(f"{len(chosen)} rows to train on, none of them {name}")

    def alone(self) -> list[str]:
        """Sources with a single clip: they can be named, but never form a pair."""
        return sorted(name for name, pages in self._of_source.items() if pages.count() < 2)

    def plan(self, rng: np.random.Generator, size: int) -> Plan:
        """One batch, in an order that tells nothing of its labels."""
        empty = round(size * self._shares.nonspeech / 4) * 4
        fours = (size - empty) // 4
        synthetic: list[int] = []
        couples: list[tuple[int, int]] = []
        used: set[str] = set()
        for _ in range(fours):
            if self._twins and (rng.random() < self._shares.pairs or not self._of_source):
                made = _either(rng, self._made, self._found, self._shares.self_made)
                chosen = self._of_one_source(rng, used, made, self._matched)
                couples += [(clip, _one(rng, self._twins[clip])) for clip in chosen]
            else:
                found = _either(rng, self._classical, self._neural, self._shares.classical)
                synthetic += self._of_one_source(rng, used, found, self._of_source)
        count = size - empty - len(synthetic) - 2 * len(couples)
        bonafide = [self._human(rng, synthetic) for _ in range(count)]
        alike = rng.random(len(couples)) < self._shares.alike
        clips = [clip for couple in couples for clip in couple]
        # Slots draw for themselves; a clip that is sent like its twin takes the twin's draws.
        draws = [2 * n + (place and not alike[n]) for n in range(len(couples)) for place in (0, 1)]
        clips += [*synthetic, *bonafide, *[NONSPEECH] * empty]
        draws += range(len(draws), size)
        order = rng.permutation(size)
        return Plan([clips[i] for i in order], [int(draws[i]) for i in order])

    def _of_one_source(
        self,
        rng: np.random.Generator,
        used: set[str],
        pages: _Pages,
        of_source: dict[str, _Pages],
    ) -> list[int]:
        """Two clips of a source that is not yet in the batch, where one can be found."""
        clip = -1
        for _ in range(20):
            clips = pages.clips[pages.draw(rng)]
            sources = sorted({self._rows[i].source for i in clips})
            source = sources[int(rng.integers(len(sources)))]
            clip = _one(rng, [i for i in clips if self._rows[i].source == source])
            if source not in used and of_source[source].count() > 1:
                break
        used.add(self._rows[clip].source)
        return [clip, self._positive(rng, clip, of_source)]

    def _positive(self, rng: np.random.Generator, first: int, of_source: dict[str, _Pages]) -> int:
        """Another clip of the same source, from another page where that can be."""
        row = self._rows[first]
        pages = of_source[row.source]
        beside = [i for i in pages.clips[row.page] if i != first]
        if len(pages.clips) > 1 and (not beside or rng.random() < self._shares.other_page):
            return _one(rng, pages.clips[pages.draw(rng, without=row.page)])
        return _one(rng, beside or [first])

    def _human(self, rng: np.random.Generator, synthetic: Sequence[int]) -> int:
        """A human clip; half of them from where the synthetic ones are, so the page says nothing.

        Where the very utterance exists as a human recording, it is taken half of the time.
        """
        if rng.random() < self._shares.matched and synthetic:
            partner = self._rows[_one(rng, synthetic)]
            same = self._of_utterance.get(partner.parallel_id, [])
            if same and rng.random() < 0.5:
                return _one(rng, same)
            page = self._humans.clips.get(partner.page)
            if page:
                return _one(rng, page)
        pages = _either(rng, self._prompts, self._humans, self._shares.prompts)
        return _one(rng, pages.clips[pages.draw(rng)])


def twins_of(rows: Sequence[Row], chosen: Sequence[int]) -> dict[int, list[int]]:
    """The human recordings that each synthetic clip of `chosen` has a twin in.

    Of a clip of our own making, that is the one it was made from; of a corpus's, those that say
    the same words on the same page.
    """
    by_file: dict[str, list[int]] = defaultdict(list)
    by_utterance: dict[tuple[str, str], list[int]] = defaultdict(list)
    for i in chosen:
        row = rows[i]
        if not row.is_synthetic:
            by_file[row.sha256].append(i)
            if row.parallel_id:
                by_utterance[row.page, row.parallel_id].append(i)
    twins: dict[int, list[int]] = {}
    for i in chosen:
        row = rows[i]
        if row.is_pair:
            found = by_file.get(row.original_sha256)
        else:
            found = by_utterance.get((row.page, row.parallel_id)) if row.is_synthetic else None
        if found:
            twins[i] = found
    return twins


def _either(rng: np.random.Generator, rare: _Pages, common: _Pages, share: float) -> _Pages:
    if not rare.clips:
        return common
    if not common.clips:
        return rare
    return rare if rng.random() < share else common


def _one(rng: np.random.Generator, clips: Sequence[int]) -> int:
    return clips[int(rng.integers(len(clips)))]
