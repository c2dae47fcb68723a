"""Novelty from clouds with one shared covariance."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from streamtrace.tracing.logits import Floats

SHRINKAGE = (
    0.1  # towards a ball: a cloud of few clips in many dimensions has no covariance of its own
)

Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def mahalanobis(embedding: Floats, bank: Floats, owner: Ints) -> Floats:
    """Squared distance to the nearest class mean (Lee et al., 2018).

    Turning, moving or stretching all of the space alike changes no order: distances are in units of
    the spread within classes.
    """
    means = np.stack([bank[owner == c].mean(axis=0) for c in np.unique(owner)])
    within = bank - means[np.searchsorted(np.unique(owner), owner)]
    return _squared(embedding, means, _inverse(within)).min(axis=1)


def relative_mahalanobis(embedding: Floats, bank: Floats, owner: Ints) -> Floats:
    """The same less the distance to one cloud of everything (Ren et al., 2021).

    What is far from all training alike, say for its line, is not new by that alone.
    """
    mean = bank.mean(axis=0, keepdims=True)
    background = _squared(embedding, mean, _inverse(bank - mean))[:, 0]
    return mahalanobis(embedding, bank, owner) - background


def _inverse(centred: Floats) -> Doubles:
    rows = centred.astype(np.float64)
    covariance = rows.T @ rows / len(rows)
    ball = np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    return np.linalg.inv((1 - SHRINKAGE) * covariance + SHRINKAGE * ball)


def _squared(x: Floats, means: Floats, inverse: Doubles) -> Doubles:
    """[N, E], [C, E] -> [N, C]."""
    apart = x[:, None].astype(np.float64) - means[None]
    return np.einsum("nce,ef,ncf->nc", apart, inverse, apart, optimize=True)
