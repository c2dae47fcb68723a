"""The figures of the field, and intervals that treat a page, not a clip, as the unit of luck."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.int64]


def auroc(scores: Floats, positive: npt.NDArray[np.bool_]) -> float:
    """The chance that a positive scores above a negative, ties counted half; nan if one-sided."""
    positives, negatives = scores[positive], scores[~positive]
    if not len(positives) or not len(negatives):
        return float("nan")
    order = np.argsort(np.concatenate([negatives, positives]), kind="stable")
    ranks = np.empty(len(order))
    ranks[order] = np.arange(1, len(order) + 1)
    values, inverse, counts = np.unique(
        np.concatenate([negatives, positives]), return_inverse=True, return_counts=True
    )
    sums = np.bincount(inverse, weights=ranks, minlength=len(values))
    mean_ranks = (sums / counts)[inverse]
    rank_sum = mean_ranks[len(negatives) :].sum()
    pairs = len(positives) * len(negatives)
    return float((rank_sum - len(positives) * (len(positives) + 1) / 2) / pairs)


def eer(scores: Floats, positive: npt.NDArray[np.bool_]) -> float:
    """Where misses and false alarms are equal, interpolated; nan if one-sided."""
    if not positive.any() or positive.all():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    hit = positive[order]
    last_of_tie = np.append(np.diff(scores[order]) != 0, True)
    miss = np.concatenate([[1.0], 1 - np.cumsum(hit)[last_of_tie] / hit.sum()])
    alarm = np.concatenate([[0.0], np.cumsum(~hit)[last_of_tie] / (~hit).sum()])
    at = int(np.argmax(alarm >= miss))
    before, after = miss[at - 1] - alarm[at - 1], miss[at] - alarm[at]
    share = before / (before - after) if before != after else 0.0
    return float(alarm[at - 1] + share * (alarm[at] - alarm[at - 1]))


def fpr_at_recall(scores: Floats, positive: npt.NDArray[np.bool_], recall: float = 0.95) -> float:
    """False-alarm rate at the threshold that finds `recall` of the positives."""
    if not positive.any() or positive.all():
        return float("nan")
    threshold = np.quantile(scores[positive], 1 - recall)
    return float((scores[~positive] >= threshold).mean())


def top_k(shares: Floats, truth: Ints, k: int) -> float:
    """[N, C] and the true column: how often the truth is among the k largest."""
    if not len(truth):
        return float("nan")
    own = shares[np.arange(len(truth)), truth]
    return float(((shares > own[:, None]).sum(axis=1) < k).mean())


def macro_recall(shares: Floats, truth: Ints) -> float:
    """Mean over classes of the share found at rank one."""
    if not len(truth):
        return float("nan")
    right = shares.argmax(axis=1) == truth
    return float(np.mean([right[truth == c].mean() for c in np.unique(truth)]))


def calibration_error(
    probability: Floats, positive: npt.NDArray[np.bool_], bins: int = 10
) -> float:
    """Expected calibration error over equal-width bins."""
    if not len(probability):
        return float("nan")
    place = np.minimum((probability * bins).astype(int), bins - 1)
    total = 0.0
    for b in range(bins):
        inside = place == b
        if inside.any():
            total += inside.mean() * abs(probability[inside].mean() - positive[inside].mean())
    return float(total)


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure and its 95 % interval under resampling of pages."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """In percent, as the tables print it."""
        return f"{100 * self.value:.1f} [{100 * self.low:.1f}, {100 * self.high:.1f}]"


def by_page(
    figure: Callable[[Ints], float], pages: Sequence[str], *, draws: int = 200, seed: int = 0
) -> Figure:
    """`figure` of row indices, with a cluster bootstrap over pages."""
    names, owner = np.unique(np.asarray(pages), return_inverse=True)
    members = [np.flatnonzero(owner == i) for i in range(len(names))]
    random = np.random.default_rng(seed)
    values: list[float] = []
    for _ in range(draws):
        drawn = random.integers(0, len(names), len(names))
        value = figure(np.concatenate([members[i] for i in drawn]))
        if np.isfinite(value):
            values.append(value)
    whole = figure(np.arange(len(owner)))
    if not values:
        return Figure(whole, float("nan"), float("nan"))
    low, high = np.percentile(values, [2.5, 97.5])
    return Figure(whole, float(low), float(high))
