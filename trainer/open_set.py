"""Naming what is known and refusing what is not, by one score: curves and the area under them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from trainer.bootstrap import Statistic
from trainer.metrics import Bools, Floats, auroc_of, mean_of, within


def oscr_of(confidence: Floats, right: Bools, known: Bools, unknown: Bools) -> Statistic:
    """Area under the OSCR curve (Dhamija et al., 2018): between 0 and the share named rightly.

    The curve is the share of all known clips that are named rightly at or above a threshold against
    the share of unknown ones there; its area is the share named rightly, times how often one of
    those scores above an unknown clip.
    """
    named = right & known
    area = within(named | unknown, auroc_of(confidence[named | unknown], named[named | unknown]))
    share = mean_of(named, known)
    return lambda counts: share(counts) * area(counts)


def oscr_curve(
    confidence: Floats, right: Bools, known: Bools, unknown: Bools
) -> list[tuple[float, float]]:
    """Unknown clips let through, known ones named rightly, at every threshold."""
    order = np.argsort(-confidence, kind="stable")
    passed = np.cumsum(unknown[order]) / max(1, int(unknown.sum()))
    named = np.cumsum((right & known)[order]) / max(1, int(known.sum()))
    return thinned(np.append(0.0, passed), np.append(0.0, named))


def det_curve(scores: Floats, positive: Bools) -> list[tuple[float, float]]:
    """Negatives flagged, positives missed, at every threshold."""
    order = np.argsort(-scores, kind="stable")
    found = np.cumsum(positive[order]) / max(1, int(positive.sum()))
    alarms = np.cumsum(~positive[order]) / max(1, int((~positive).sum()))
    return thinned(np.append(0.0, alarms), np.append(1.0, 1 - found))


def thinned(
    x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], most: int = 200
) -> list[tuple[float, float]]:
    """Not more points than a picture can show; the ends stay."""
    chosen = np.unique(np.linspace(0, len(x) - 1, min(most, len(x))).astype(np.int64))
    return [(float(x[i]), float(y[i])) for i in chosen]
