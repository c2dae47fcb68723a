"""Novelty from ranks: how few of a class's own clips were as doubtful as this one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from streamtrace.tracing.logits import Floats

Ints = npt.NDArray[np.int64]


def margins(logits: Floats) -> Floats:
    """[N, C]: how far each class leads the best of the others."""
    top = np.partition(logits, -2, axis=1)
    best, second = top[:, -1:], top[:, -2:-1]
    return logits - np.where(logits == best, second, best)


def conformal_margin(logits: Floats, bank_logits: Floats, owner: Ints) -> Floats:
    """One less the p-value of the likeliest class, by margins, smoothed (Vovk et al., 2005).

    p = (clips of it whose margin was no larger + u) / (1 + clips of it), u in [0, 1):
    clips exchangeable with the bank's are new beyond 1 - a about a share a of the time. Classes
    without a clip in the bank are never the likeliest. u is the margin's own, not drawn, so that
    the same clip is always as new.
    """
    classes = np.unique(owner)
    mine, theirs = margins(logits[:, classes]), margins(bank_logits[:, classes])
    best = mine.argmax(axis=1)
    lead = mine[np.arange(len(mine)), best]
    value = np.zeros(len(mine))
    for place, name in enumerate(classes):
        seen = np.sort(theirs[owner == name, place])
        rows = best == place
        rank = np.searchsorted(seen, lead[rows], side="right")
        within = lead[rows] / (1 + np.abs(theirs).mean())
        value[rows] = (rank + within / (1 + within)) / (1 + len(seen))
    return 1 - value
