"""Attentive statistics pooling over a stream: what is kept of the past is small and exact."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from streamtrace.tracing.logits import Floats
from streamtrace.values import Bools, Float32s

EMPTY_PEAK = -1e30  # finite, so that merging two empty pools gives no NaN
VARIANCE_FLOOR = 1e-5  # the trainer pools with the same floor


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """The sums of a softmax-weighted mean and variance, in the manner of an online softmax.

    Pooling piece by piece and merging equals one softmax over all frames, in any order.
    """

    peak: Floats  # [...] the largest logit so far; weights are relative to it
    weight: Floats  # [...] sum of the weights; 0 only if nothing was pooled
    first: Floats  # [..., D] weighted sum of the embeddings
    second: Floats  # [..., D] weighted sum of their squares

    @classmethod
    def empty(cls, width: int, dtype: npt.DTypeLike = np.float32) -> Pool:
        """Nothing pooled yet; float64 suits a pool that grows for hours."""
        return cls(
            peak=np.array(EMPTY_PEAK, dtype),
            weight=np.array(0.0, dtype),
            first=np.zeros(width, dtype),
            second=np.zeros(width, dtype),
        )


def pool_frames(embedding: Float32s, logits: Floats, mask: Bools) -> Pool:
    """[..., T, D], [..., T], [..., T] -> [...]; frames outside the mask have no say."""
    masked = np.where(mask, logits, np.float32(EMPTY_PEAK))
    peak: Floats = masked.max(axis=-1)
    weights = np.exp(masked - peak[..., None]) * mask
    row = weights[..., None, :]
    return Pool(
        peak=peak,
        weight=weights.sum(axis=-1),
        first=(row @ embedding)[..., 0, :],
        second=(row @ np.square(embedding))[..., 0, :],
    )


def merge(a: Pool, b: Pool) -> Pool:
    """[...], [...] -> [...] as if both had been pooled at once."""
    peak = np.maximum(a.peak, b.peak)
    of_a: Floats = np.exp(a.peak - peak)
    of_b: Floats = np.exp(b.peak - peak)
    return Pool(
        peak=peak,
        weight=a.weight * of_a + b.weight * of_b,
        first=a.first * of_a[..., None] + b.first * of_b[..., None],
        second=a.second * of_a[..., None] + b.second * of_b[..., None],
    )


def statistics(pool: Pool) -> Float32s:
    """[...] -> [..., 2D]: weighted mean, then standard deviation; finite for an empty pool."""
    # At least one weight is 1 (the peak's own), so the guard changes only empty pools.
    weight = np.maximum(pool.weight, 1e-9)[..., None]
    mean: npt.NDArray[Any] = pool.first / weight
    variance = pool.second / weight - np.square(mean)
    deviation = np.sqrt(np.maximum(variance, VARIANCE_FLOOR))
    return np.concatenate([mean, deviation], axis=-1, dtype=np.float32, casting="same_kind")
