"""The log-domain functions agree with their definitions and never overflow."""

from __future__ import annotations

import numpy as np

from streamtrace.tracing.logits import log_sigmoid, log_softmax, log_sum_exp, sigmoid, softmax

FAR = np.array([-1e4, -3.0, 0.0, 3.0, 1e4])


def test_sigmoid() -> None:
    assert np.allclose(sigmoid(FAR), [0, 1 / (1 + np.exp(3)), 0.5, 1 / (1 + np.exp(-3)), 1])


def test_log_sigmoid() -> None:
    want = [-1e4, -np.log1p(np.exp(3)), np.log(0.5), -np.log1p(np.exp(-3)), 0]
    assert np.allclose(log_sigmoid(FAR), want)


def test_log_sum_exp_and_softmax() -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, 5))
    assert np.allclose(log_sum_exp(x), np.log(np.exp(x).sum(axis=-1)))
    assert np.allclose(softmax(x), np.exp(x - log_sum_exp(x)[..., None]))
    assert np.allclose(log_softmax(x), np.log(softmax(x)))
    assert np.isfinite(log_sum_exp(1e4 * x)).all()
    assert np.isfinite(log_softmax(1e4 * x)).all()
    assert np.allclose(softmax(1e4 * x).sum(axis=-1), 1)
