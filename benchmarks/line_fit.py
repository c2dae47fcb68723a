"""The straight line through samples over time, and how sure its slope is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean


@dataclass(frozen=True, slots=True)
class Slope:
    """Per unit of time; the standard error takes the samples for independent, which memory's are
    not quite: pages come in lumps. It is infinite where there are too few samples to tell.
    """

    value: float
    error: float


def fit_slope(samples: Sequence[tuple[float, float]]) -> Slope:
    """Least squares through (time, value)."""
    if len(samples) < 2:
        return Slope(0.0, math.inf)
    middle_at, middle = fmean(at for at, _ in samples), fmean(value for _, value in samples)
    spread = sum((at - middle_at) ** 2 for at, _ in samples)
    slope = sum((at - middle_at) * (value - middle) for at, value in samples) / spread
    if len(samples) == 2:
        return Slope(slope, math.inf)
    rest = sum((value - middle - slope * (at - middle_at)) ** 2 for at, value in samples)
    return Slope(slope, math.sqrt(rest / (len(samples) - 2) / spread))
