"""Intervals that treat a page, not a clip, as the unit of luck, alone and in pairs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

DRAWS = 1000
AT_ONCE = 100  # draws whose counts fit a processor's cache better than all of them would

Doubles: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Statistic: TypeAlias = Callable[[Doubles], Doubles]  # counts [B, N] -> figures [B]


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure and its 95 % interval under resampling of pages."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """In percent, as the tables print it; a figure that there is not is a dash."""
        if self.value != self.value:
            return "-"
        return f"{100 * self.value:.1f} [{100 * self.low:.1f}, {100 * self.high:.1f}]"

    def excludes(self, value: float) -> bool:
        """Whether the whole interval lies on one side of `value`."""
        return self.low > value or self.high < value


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """A figure of all clips, and what became of it in every draw."""

    value: float
    draws: Doubles  # [draws]; NaN where the drawn pages do not give the figure

    @property
    def figure(self) -> Figure:
        """With the interval of the draws that gave one."""
        finite = self.draws[np.isfinite(self.draws)]
        if not len(finite):
            return Figure(self.value, float("nan"), float("nan"))
        low, high = np.percentile(finite, [2.5, 97.5])
        return Figure(self.value, float(low), float(high))

    def minus(self, other: Drawn, sign: int = 1) -> Drawn:
        """The difference (its opposite for sign -1), draw by draw; both from the same draws."""
        return Drawn(sign * (self.value - other.value), sign * (self.draws - other.draws))


class PageDraws:
    """One set of resampled pages; every figure asked of it sees the same ones.

    That is what makes a difference of two figures a paired one: a page that is hard for both
    enters both or neither. Draws in which a figure does not exist (a class that was not drawn)
    are left out of its interval.
    """

    def __init__(self, pages: Sequence[str], *, draws: int = DRAWS, seed: int = 0) -> None:
        names, self._owner = np.unique(np.asarray(pages, np.str_), return_inverse=True)
        random = np.random.default_rng(seed)
        drawn = random.integers(0, max(1, len(names)), (draws, len(names)))
        self._drawn = (drawn[:, :, None] == np.arange(len(names))).sum(axis=1)  # [draws, pages]

    @property
    def pages(self) -> int:
        """How many pages there are to draw from."""
        return self._drawn.shape[1]

    def of(self, statistic: Statistic) -> Drawn:
        """The figure of all clips and of every draw."""
        parts = [
            statistic(self._drawn[first : first + AT_ONCE, self._owner].astype(np.float64))
            for first in range(0, len(self._drawn), AT_ONCE)
        ]
        return Drawn(float(statistic(np.ones((1, len(self._owner))))[0]), np.concatenate(parts))

    def figure(self, statistic: Statistic) -> Figure:
        """The figure of all clips, with its interval."""
        return self.of(statistic).figure

    def lead(self, a: Statistic, b: Statistic) -> Figure:
        """By how much `a` exceeds `b`, both on the same pages in every draw."""
        return self.of(a).minus(self.of(b)).figure


def paired_by_page(
    figure_a: Statistic,
    figure_b: Statistic,
    pages: Sequence[str],
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> Figure:
    """`figure_a` minus `figure_b`: the same resampled pages for both."""
    return PageDraws(pages, draws=draws, seed=seed).lead(figure_a, figure_b)


def by_page(
    figure: Callable[[Ints], float], pages: Sequence[str], *, draws: int = 200, seed: int = 0
) -> Figure:
    """Any `figure` of row indices, one draw at a time; a `Statistic` is a hundred times faster."""

    def statistic(counts: Doubles) -> Doubles:
        clips = np.arange(counts.shape[1])
        return np.array([figure(np.repeat(clips, row.astype(np.int64))) for row in counts])

    return PageDraws(pages, draws=draws, seed=seed).figure(statistic)
