"""Which clips share a batch: pairs of one source, humans of the same pages, no page too often."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

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

    def __post_init__(self) -> None:
        """Refuse what is no share."""
        for name, share in vars(self).items():
            if not 0 <= share <= 1:
                raise SettingsError(f"shares.{name}={share}: want a share between 0 and 1")


def _clips() -> dict[str, list[int]]:
    return defaultdict(list)


@dataclass
class _Pages:
    """Clips of one kind by page; a page counts with the square root of its size."""

    clips: dict[str, list[int]] = field(default_factory=_clips)

    def draw(self, rng: np.random.Generator) -> str:
        names = list(self.clips)
        weights = np.sqrt([len(self.clips[name]) for name in names])
        return names[int(rng.choice(len(names), p=weights / weights.sum()))]


class Sampler:
    """Plans batches over some rows of a manifest; the plan depends on seed and step alone."""

    def __init__(self, rows: Sequence[Row], chosen: Sequence[int], shares: Shares) -> None:
        self._rows = rows
        self._shares = shares
        self._neural, self._classical = _Pages(), _Pages()
        self._humans, self._prompts = _Pages(), _Pages()
        self._of_source: dict[str, list[int]] = defaultdict(list)
        self._of_utterance: dict[str, list[int]] = defaultdict(list)
        for i in chosen:
            row = rows[i]
            if row.is_synthetic:
                pages = self._classical if row.family in CLASSICAL_FAMILIES else self._neural
                self._of_source[row.source].append(i)
            else:
                pages = self._prompts if row.origin.startswith("prompts:") else self._humans
                if row.parallel_id:
                    self._of_utterance[row.parallel_id].append(i)
            pages.clips[row.page].append(i)
        for name, groups in (
            ("synthetic", (self._neural, self._classical)),
            ("bonafide", (self._humans, self._prompts)),
        ):
            if not any(group.clips for group in groups):
                raise DataError(f"{len(chosen)} rows to train on, none of them {name}")

    def alone(self) -> list[str]:
        """Sources with a single clip: they can be named, but never form a pair."""
        return sorted(name for name, clips in self._of_source.items() if len(clips) < 2)

    def plan(self, rng: np.random.Generator, size: int) -> list[int]:
        """The clips of one batch, in an order that tells nothing of their labels."""
        empty = round(size * self._shares.nonspeech / 4) * 4
        pairs = (size - empty) // 4
        synthetic: list[int] = []
        used: set[str] = set()
        for _ in range(pairs):
            first = self._anchor(rng, used)
            used.add(self._rows[first].source)
            synthetic += [first, self._positive(rng, first)]
        bonafide = [self._human(rng, synthetic) for _ in range(size - empty - 2 * pairs)]
        plan = [*synthetic, *bonafide, *[NONSPEECH] * empty]
        return [plan[i] for i in rng.permutation(len(plan))]

    def _anchor(self, rng: np.random.Generator, used: set[str]) -> int:
        """A synthetic clip, of a source not yet in the batch where one can be found."""
        clip = -1
        for _ in range(20):
            pages = _either(rng, self._classical, self._neural, self._shares.classical)
            clips = pages.clips[pages.draw(rng)]
            sources = sorted({self._rows[i].source for i in clips})
            source = sources[int(rng.integers(len(sources)))]
            clip = _one(rng, [i for i in clips if self._rows[i].source == source])
            if source not in used and len(self._of_source[source]) > 1:
                break
        return clip

    def _positive(self, rng: np.random.Generator, first: int) -> int:
        """Another clip of the same source, from another page where that can be."""
        row = self._rows[first]
        others = [i for i in self._of_source[row.source] if i != first] or [first]
        elsewhere = [i for i in others if self._rows[i].page != row.page]
        if elsewhere and rng.random() < self._shares.other_page:
            return _one(rng, elsewhere)
        return _one(rng, others)

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


def _either(rng: np.random.Generator, rare: _Pages, common: _Pages, share: float) -> _Pages:
    if not rare.clips:
        return common
    if not common.clips:
        return rare
    return rare if rng.random() < share else common


def _one(rng: np.random.Generator, clips: Sequence[int]) -> int:
    return clips[int(rng.integers(len(clips)))]
