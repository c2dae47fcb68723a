"""The figures of the field, each over how often every clip counts.

A figure is made once from scores and truth and then asked for any weights: `auroc_of(...)` sorts
once, and a thousand resamplings cost a cumulative sum each. The short names (`auroc`, `eer`, ...)
count every clip once. A figure that its clips cannot give (one label only, no clip) is NaN.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from trainer.bootstrap import Doubles, Ints, Statistic

Floats: TypeAlias = npt.NDArray[np.floating]
Bools: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Costs:
    """Of a detection-cost function in which bona fide speech is the target (ASVspoof 5)."""

    miss: float = 1.0  # a human voice taken for a synthetic one
    false_alarm: float = 10.0  # a synthetic voice taken for a human one
    spoof_prior: float = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class _Ranked:
    """Clips from the highest score down; clips of one score pass a threshold together."""

    order: Ints  # [N]
    positive: Bools  # [N] in that order
    last: Ints  # [G] the last place of each score

    @classmethod
    def of(cls, scores: Floats, positive: Bools) -> _Ranked:
        order = np.argsort(-np.asarray(scores), kind="stable")
        if not len(order):
            return cls(order, np.zeros(0, np.bool_), np.zeros(0, np.int64))
        changes = np.append(np.diff(scores[order]) != 0, True)
        return cls(order, positive[order], np.flatnonzero(changes))

    def found(self, counts: Doubles) -> tuple[Doubles, Doubles]:
        """[B, N] -> shares [B, G + 1] of positives and of negatives at or above each threshold.

        The first threshold is above every score. NaN where a side is empty.
        """
        counted = counts[:, self.order]
        both = np.cumsum(counted, axis=1)
        hits = np.cumsum(counted * self.positive, axis=1)
        none = np.zeros((len(counts), 1))
        hits_at = np.concatenate([none, hits[:, self.last]], axis=1)
        alarms_at = np.concatenate([none, (both - hits)[:, self.last]], axis=1)
        return _share(hits_at, hits_at[:, -1:]), _share(alarms_at, alarms_at[:, -1:])


def auroc_of(scores: Floats, positive: Bools) -> Statistic:
    """The chance that a positive scores above a negative, ties counted half."""
    ranked = _Ranked.of(scores, positive)

    def figure(counts: Doubles) -> Doubles:
        hit, alarm = ranked.found(counts)
        area = np.diff(alarm, axis=1) * (hit[:, 1:] + hit[:, :-1]) / 2
        return area.sum(axis=1) + 0 * hit[:, -1]  # a sum over no thresholds at all is no figure

    return figure


def eer_of(scores: Floats, positive: Bools) -> Statistic:
    """Where misses and false alarms are equal, interpolated between thresholds."""
    ranked = _Ranked.of(scores, positive)

    def figure(counts: Doubles) -> Doubles:
        hit, alarm = ranked.found(counts)
        lead = alarm - (1 - hit)  # rises from -1 to 1
        at = np.maximum((lead >= 0).argmax(axis=1), min(1, lead.shape[1] - 1))
        row = np.arange(len(lead))
        before, after = lead[row, at - 1], lead[row, at]
        share = -before / np.where(after != before, after - before, 1)
        low = alarm[row, at - 1]
        return low + share * (alarm[row, at] - low)

    return figure


def fpr_at_recall_of(scores: Floats, positive: Bools, recall: float = 0.95) -> Statistic:
    """The false-alarm rate at the highest threshold that finds `recall` of the positives."""
    ranked = _Ranked.of(scores, positive)

    def figure(counts: Doubles) -> Doubles:
        hit, alarm = ranked.found(counts)
        at = (hit >= recall - 1e-9).argmax(axis=1)
        value = alarm[np.arange(len(alarm)), at]
        return np.where(np.isnan(hit[:, -1]), np.nan, value)

    return figure


def recall_at_fpr_of(scores: Floats, positive: Bools, fpr: float = 0.03) -> Statistic:
    """The share of positives found at the lowest threshold that raises at most `fpr` alarms."""
    ranked = _Ranked.of(scores, positive)

    def figure(counts: Doubles) -> Doubles:
        hit, alarm = ranked.found(counts)
        found = np.where(alarm <= fpr + 1e-9, hit, 0.0).max(axis=1)
        return np.where(np.isnan(alarm[:, -1]), np.nan, found)

    return figure


def min_dcf_of(scores: Floats, synthetic: Bools, costs: Costs | None = None) -> Statistic:
    """The least detection cost of any threshold, 1 for the better of the two blind answers."""
    at = costs or Costs()
    ranked = _Ranked.of(scores, synthetic)
    human_flagged, spoof_missed = at.miss * (1 - at.spoof_prior), at.false_alarm * at.spoof_prior

    def figure(counts: Doubles) -> Doubles:
        hit, alarm = ranked.found(counts)
        cost = human_flagged * alarm + spoof_missed * (1 - hit)
        return cost.min(axis=1) / min(human_flagged, spoof_missed)

    return figure


def cllr_of(llr: Floats, positive: Bools) -> Statistic:
    """The cost of log-likelihood ratios in bits, both sides counted even; 1 says nothing."""
    cost = np.logaddexp(0, np.where(positive, -llr, llr)) / np.log(2)
    of_positives, of_negatives = mean_of(cost, positive), mean_of(cost, ~positive)
    return lambda counts: (of_positives(counts) + of_negatives(counts)) / 2


def calibration_error_of(probability: Floats, positive: Bools, bins: int = 10) -> Statistic:
    """Expected calibration error over equal-width bins."""
    place = np.clip((np.asarray(probability) * bins).astype(int), 0, bins - 1)
    member = (place[:, None] == np.arange(bins)).astype(np.float64)  # [N, bins]
    surplus = member * (np.asarray(probability, np.float64) - positive)[:, None]
    return lambda counts: _share(np.abs(counts @ surplus).sum(axis=1), counts.sum(axis=1))


def mean_of(values: Floats | Bools, within: Bools | None = None) -> Statistic:
    """The mean of a number, or the share of a yes, over the clips in `within`."""
    each = np.asarray(values, np.float64)
    inside = np.ones(len(each)) if within is None else within.astype(np.float64)
    total = np.where(inside > 0, each, 0.0)  # what lies outside may be NaN
    return lambda counts: _share(counts @ total, counts @ inside)


def macro_recall_of(predicted: Ints, truth: Ints) -> Statistic:
    """The mean over the classes that occur of the share found."""
    classes = np.unique(truth)
    own = (truth[:, None] == classes).astype(np.float64)  # [N, C]
    right = own * (predicted == truth)[:, None]
    return lambda counts: _mean_known(_share(counts @ right, counts @ own))


def macro_f1_of(predicted: Ints, truth: Ints) -> Statistic:
    """The mean F1 over the classes that occur; a class only ever answered adds no term."""
    classes = np.unique(truth)
    own = (truth[:, None] == classes).astype(np.float64)  # [N, C]
    said = (predicted[:, None] == classes).astype(np.float64)

    def figure(counts: Doubles) -> Doubles:
        occurs = counts @ own
        f1 = _share(2 * (counts @ (own * said)), occurs + counts @ said)
        return _mean_known(np.where(occurs > 0, f1, np.nan))

    return figure


def within(clips: Bools, statistic: Statistic) -> Statistic:
    """A figure that was made from the clips of a mask alone, asked with the counts of all."""
    inside = np.flatnonzero(clips)
    return lambda counts: statistic(counts[:, inside])


def hits(shares: Floats, truth: Ints, k: int) -> Bools:
    """[N, C] and the true columns -> [N] whether the truth is among the k largest.

    What is as large as the truth counts as ahead of it: an answer that says nothing is worth
    nothing.
    """
    if not len(truth):
        return np.zeros(0, np.bool_)
    own = shares[np.arange(len(truth)), truth]
    return (shares >= own[:, None]).sum(axis=1) <= k


def auroc(scores: Floats, positive: Bools) -> float:
    """`auroc_of` with every clip once."""
    return _once(auroc_of(scores, positive), len(scores))


def eer(scores: Floats, positive: Bools) -> float:
    """`eer_of` with every clip once."""
    return _once(eer_of(scores, positive), len(scores))


def fpr_at_recall(scores: Floats, positive: Bools, recall: float = 0.95) -> float:
    """`fpr_at_recall_of` with every clip once."""
    return _once(fpr_at_recall_of(scores, positive, recall), len(scores))


def min_dcf(scores: Floats, synthetic: Bools, costs: Costs | None = None) -> float:
    """`min_dcf_of` with every clip once."""
    return _once(min_dcf_of(scores, synthetic, costs), len(scores))


def cllr(llr: Floats, positive: Bools) -> float:
    """`cllr_of` with every clip once."""
    return _once(cllr_of(llr, positive), len(llr))


def calibration_error(probability: Floats, positive: Bools, bins: int = 10) -> float:
    """`calibration_error_of` with every clip once."""
    return _once(calibration_error_of(probability, positive, bins), len(probability))


def top_k(shares: Floats, truth: Ints, k: int) -> float:
    """[N, C] and the true columns: how often the truth is among the k largest."""
    return _once(mean_of(hits(shares, truth, k)), len(truth))


def macro_recall(shares: Floats, truth: Ints) -> float:
    """`macro_recall_of` the likeliest class, every clip once."""
    return _once(macro_recall_of(shares.argmax(axis=1), truth), len(truth))


def macro_f1(predicted: Ints, truth: Ints) -> float:
    """`macro_f1_of` with every clip once."""
    return _once(macro_f1_of(predicted, truth), len(truth))


def _once(statistic: Statistic, clips: int) -> float:
    return float(statistic(np.ones((1, clips)))[0])


def _share(part: Doubles, whole: Doubles) -> Doubles:
    """`part / whole`, NaN where there is no whole."""
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1), np.nan)


def _mean_known(values: Doubles) -> Doubles:
    """[B, C] -> [B] the mean of what is a number; NaN where nothing is."""
    known = ~np.isnan(values)
    return _share(np.where(known, values, 0).sum(axis=1), known.sum(axis=1).astype(np.float64))
