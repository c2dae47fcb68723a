"""Novelty from how near a clip lies to those of training."""

from __future__ import annotations

import numpy as np

from streamtrace.tracing.logits import Floats, log_sum_exp


def nsd(embedding: Floats, logits: Floats, bank: Floats, bank_logits: Floats) -> Floats:
    """NSD (Xie et al., 2024), turned: there more is known, here more is new.

    With z = f / |f| and c = log sum exp(logits), the published score is c(x) * mean of c_i z(x).z_i
    over the bank. The mean is linear, so one vector keeps all of it: O(E) a clip, however large the
    bank. c may be negative, where the product would turn round; it is held at zero or above.
    """
    confidence = np.maximum(log_sum_exp(logits), 0)
    weights = np.maximum(log_sum_exp(bank_logits), 0)
    mean = (weights[:, None] * unit(bank)).mean(axis=0)
    return -confidence * (unit(embedding) @ mean)


def nearest(embedding: Floats, bank: Floats, k: int = 1) -> Floats:
    """Distance of unit vectors to the k-th nearest of the bank (Sun et al., 2022).

    Repeating the bank k times makes the k-th nearest the nearest: only distances count.
    """
    cosine = unit(embedding) @ unit(bank).T
    place = min(k, len(bank))
    kth = np.partition(cosine, len(bank) - place, axis=1)[:, len(bank) - place]
    return np.sqrt(np.maximum(2 - 2 * kth, 0))


def unit(x: Floats) -> Floats:
    """Rows at length one."""
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-9)
