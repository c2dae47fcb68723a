"""Sums over time, means that move, and leads that are differences of likelihoods."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.baselines.mixtures import RELEVANCE, Mixture, Sums


@pytest.fixture
def mixture() -> Mixture:
    rng = np.random.default_rng(0)
    return Mixture(np.array([0.5, 0.3, 0.2]), rng.normal(size=(3, 4)), rng.uniform(0.5, 2, (3, 4)))


def frames(count: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 4)).astype(np.float32)


def test_shares_are_the_components_posteriors(mixture: Mixture) -> None:
    x = frames(20)
    each = np.stack(
        [
            w * np.prod(np.exp(-0.5 * (x - m) ** 2 / v) / np.sqrt(2 * np.pi * v), axis=1)
            for w, m, v in zip(mixture.weights, mixture.means, mixture.variances, strict=True)
        ],
        axis=1,
    )
    np.testing.assert_allclose(mixture.shares(x), each / each.sum(axis=1, keepdims=True), rtol=1e-5)


def test_a_look_holds_what_was_heard_until_it(mixture: Mixture) -> None:
    x = frames(30)
    heard = mixture.sums(x, [10, 30])
    early = mixture.sums(x[:10], [10])
    np.testing.assert_allclose(heard.counts[0], early.counts[0])
    np.testing.assert_allclose(heard.counts.sum(axis=1), [10, 30])
    np.testing.assert_allclose(heard.firsts[1].sum(axis=0), x.sum(axis=0), rtol=1e-5)


def test_leads_are_differences_of_log_likelihood_with_frames_assigned_by_the_universal_mixture(
    mixture: Mixture,
) -> None:
    x = frames(30)
    means = mixture.means + frames(6, seed=2).reshape(2, 3, 4)
    shares = mixture.shares(x)

    def likelihood(m: np.ndarray) -> float:
        away = (x[:, None] - m) ** 2 / mixture.variances
        return float((shares * -0.5 * away.sum(axis=2)).sum() / len(x))

    expected = [likelihood(m) - likelihood(mixture.means) for m in means]
    np.testing.assert_allclose(mixture.leads(means, mixture.sums(x, [30]))[0], expected, rtol=1e-6)


def test_means_move_with_what_there_is_to_move_them(mixture: Mixture) -> None:
    counts = np.array([[0.0, RELEVANCE, 1e9]])
    target = mixture.means + 1
    moved = mixture.moved(Sums(counts, counts[..., None] * target))[0]
    np.testing.assert_allclose(moved[0], mixture.means[0])
    np.testing.assert_allclose(moved[1], mixture.means[1] + 0.5)
    np.testing.assert_allclose(moved[2], target[2])
