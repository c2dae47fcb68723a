"""What each row came to, by how much it differs from another, and in which words that is said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from trainer.bootstrap import Drawn, Figure, PageDraws
from trainer.figures import DETECTION, TRACING, Measure, View
from trainer.judgements import Judgements, aligned
from trainer.manifest import DataError
from trainer.open_set import oscr_of
from trainer.tracks import members

TRACK = "neural"


def _oscr(v: View) -> object:
    shares = v.attribution[:, :-1]
    return oscr_of(-v.novelty, shares.argmax(axis=1) == v.source, v.known, v.unknown)


OSCR = Measure("OSCR area", _oscr)  # type: ignore[arg-type]
_NAMED = {measure.name: measure for measure in (*DETECTION, *TRACING)}
MEASURES: tuple[Measure, ...] = (
    *(_NAMED[name] for name in ("detection EER", "detection AUROC", "detection Cllr")),
    *(_NAMED[name] for name in ("family top-1", "system top-1", "system top-5")),
    _NAMED["system macro-F1"],
    *(_NAMED[name] for name in ("novelty AUROC", "novelty OOD-EER")),
    _NAMED["novelty FPR95, 95 % of unknown found"],
    OSCR,
)
HEADLINE = ("detection EER", "family top-1", "system top-1", "novelty AUROC", "OSCR area")


def on_track(judgements: Judgements) -> Judgements:
    """The clips that the headline figures are about."""
    kept = np.flatnonzero(members(judgements.clips, TRACK))
    return judgements.select(kept.tolist())


@dataclass(frozen=True, slots=True)
class Gain:
    """By how much one row is better than another; above 0 is better, whatever the figure."""

    figure: Figure
    seeds_agree: bool  # whether each seed by itself leads, or each falls behind

    @property
    def verdict(self) -> str:
        """Said of a row only if pages and seeds both say it."""
        if not self.seeds_agree or not self.figure.excludes(0):
            return "no measurable effect"
        return "helps" if self.figure.low > 0 else "hurts"


@dataclass(slots=True, eq=False)
class Table:
    """Rows by name, each with one judge for every seed; all have judged the same clips."""

    rows: Mapping[str, Sequence[Judgements]]
    draws: int
    _pages: PageDraws = field(init=False)
    _known: dict[tuple[str, str, str], list[Drawn]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        first = next(iter(self.rows.values()))[0]
        for name, judges in self.rows.items():
            for judge in judges:
                if [c.sha256 for c in judge.clips] != [c.sha256 for c in first.clips]:
                    raise DataError(f"{name!r} has judged other clips than the first row")
        self._pages = PageDraws([clip.page for clip in first.clips], draws=self.draws)

    @property
    def pages(self) -> int:
        """How many pages the intervals are over."""
        return self._pages.pages

    def drawn(self, row: str, line: str, measure: Measure) -> list[Drawn]:
        """A figure of every seed, on the same draws of pages."""
        key = row, line, measure.name
        if key not in self._known:
            self._known[key] = [
                self._pages.of(measure.of(View(judge, line))) for judge in self.rows[row]
            ]
        return self._known[key]

    def figure(self, row: str, line: str, measure: Measure) -> Figure:
        """The mean over seeds; its interval is of pages."""
        return mean_drawn(self.drawn(row, line, measure)).figure

    def gain(self, row: str, other: str, line: str, measure: Measure) -> Gain:
        """Of `row` over `other`, paired on pages; seeds are paired in turn."""
        mine, theirs = (self.drawn(name, line, measure) for name in (row, other))
        count = max(len(mine), len(theirs))
        each = [
            mine[i % len(mine)].minus(theirs[i % len(theirs)], measure.better) for i in range(count)
        ]
        signs = {np.sign(one.value) for one in each}
        mean = mean_drawn(mine).minus(mean_drawn(theirs), measure.better)
        return Gain(mean.figure, seeds_agree=len(signs) == 1)

    def spread(self, row: str, line: str, measure: Measure) -> tuple[float, float]:
        """The lowest and the highest seed."""
        values = [one.value for one in self.drawn(row, line, measure)]
        return min(values), max(values)


def mean_drawn(each: Sequence[Drawn]) -> Drawn:
    """The mean over seeds, draw by draw."""
    return Drawn(
        float(np.mean([one.value for one in each])),
        np.mean(np.stack([one.draws for one in each]), axis=0),
    )


def beside(full: Sequence[Judgements], other: Judgements, draws: int) -> Table | None:
    """The full method and a judge from elsewhere, on the clips that both have judged."""
    mine, theirs = aligned(full[0], on_track(other))
    if len({clip.synthetic for clip in mine.clips}) < 2:
        return None
    shared = [aligned(judge, theirs)[0] for judge in full]
    return Table({FULL: shared, other.name: [theirs]}, draws)


FULL = "the full method"
