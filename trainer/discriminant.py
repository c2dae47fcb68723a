"""Linear discriminant analysis with a shrunken covariance: closed form, and hard to overfit."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from streamtrace.values import Float32s

ABSENT = -1e3  # the logit of a class without clips


def discriminant(
    x: Float32s, truth: npt.NDArray[np.int64], classes: int, *, shrinkage: float
) -> tuple[Float32s, Float32s]:
    """[R, V, K] standardised, class of each row (-1: none) -> weight [C, K], bias [C].

    The pooled covariance within classes is moved towards its scaled identity by `shrinkage`
    (Friedman, 1989); priors are the classes' shares of the clips.
    """
    known = truth >= 0
    rows = x[known].astype(np.float64)
    owner = np.repeat(truth[known], rows.shape[1])
    flat = rows.reshape(-1, rows.shape[-1])
    weight = np.zeros((classes, flat.shape[1]), np.float32)
    bias = np.full(classes, ABSENT, np.float32)
    if not len(flat):
        return weight, bias
    present = np.unique(owner)
    means = np.stack([flat[owner == c].mean(axis=0) for c in present])
    centred = flat - means[np.searchsorted(present, owner)]
    covariance = centred.T @ centred / len(flat)
    ridge = np.trace(covariance) / len(covariance)
    covariance = (1 - shrinkage) * covariance + shrinkage * ridge * np.eye(len(covariance))
    solved = np.linalg.solve(covariance, means.T).T
    priors = np.array([(owner == c).mean() for c in present])
    weight[present] = solved
    bias[present] = -0.5 * (solved * means).sum(axis=1) + np.log(priors)
    return weight, bias
