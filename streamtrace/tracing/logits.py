"""The few log-domain functions that scores are made with, stable at any magnitude."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.floating[Any]]


def sigmoid(x: Floats) -> Floats:
    """[...] -> [...] in [0, 1]; never overflows."""
    return 0.5 + 0.5 * np.tanh(0.5 * x)


def log_sigmoid(x: Floats) -> Floats:
    """[...] -> [...], at most 0."""
    return -np.logaddexp(0.0, -x)


def log_sum_exp(x: Floats) -> Floats:
    """[..., N] -> [...]."""
    peak = x.max(axis=-1)
    return peak + np.log(np.exp(x - peak[..., None]).sum(axis=-1))


def softmax(x: Floats) -> Floats:
    """[..., N] -> [..., N] that sums to 1."""
    shares = np.exp(x - x.max(axis=-1, keepdims=True))
    return shares / shares.sum(axis=-1, keepdims=True)


def log_softmax(x: Floats) -> Floats:
    """[..., N] -> [..., N], whose exponentials sum to 1."""
    return x - log_sum_exp(x)[..., None]
