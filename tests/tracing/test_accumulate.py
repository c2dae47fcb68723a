"""Pools: what they hold, and what an empty one says."""

from __future__ import annotations

import numpy as np

from streamtrace.tracing.accumulate import (
    VARIANCE_FLOOR,
    Pool,
    merge,
    pool_frames,
    statistics,
)

WIDTH = 4


def pooled(seed: int, *shape: int, usable: float = 0.8) -> Pool:
    rng = np.random.default_rng(seed)
    return pool_frames(
        rng.standard_normal((*shape, 6, WIDTH)).astype(np.float32),
        3 * rng.standard_normal((*shape, 6)).astype(np.float32),
        rng.random((*shape, 6)) < usable,
    )


def row(pool: Pool, *at: int) -> Pool:
    return Pool(pool.peak[at], pool.weight[at], pool.first[at], pool.second[at])


def test_equal_logits_give_plain_mean_and_deviation() -> None:
    embedding = np.random.default_rng(0).standard_normal((6, WIDTH)).astype(np.float32)
    got = statistics(pool_frames(embedding, np.full(6, 7.0, np.float32), np.ones(6, np.bool_)))
    assert np.allclose(got, np.concatenate([embedding.mean(0), embedding.std(0)]), atol=1e-6)
    assert got.dtype == np.float32


def test_frames_outside_the_mask_have_no_say() -> None:
    embedding = np.random.default_rng(0).standard_normal((6, WIDTH)).astype(np.float32)
    logits = np.array([0, 50, 0, 0, -50, 0], np.float32)
    mask = np.array([1, 0, 1, 1, 0, 1], np.bool_)
    got = statistics(pool_frames(embedding, logits, mask))
    assert np.allclose(got[:WIDTH], embedding[mask].mean(axis=0), atol=1e-6)


def test_an_empty_pool_is_finite_and_changes_nothing() -> None:
    empty, full = Pool.empty(WIDTH), pooled(1)
    nothing = pooled(2, usable=0.0)
    floor = np.sqrt(VARIANCE_FLOOR)
    for pool in (empty, nothing, merge(empty, nothing)):
        assert np.allclose(statistics(pool), [0.0] * WIDTH + [floor] * WIDTH)
    for pool in (merge(empty, full), merge(full, empty), merge(full, nothing)):
        assert np.array_equal(statistics(pool), statistics(full))


def test_a_constant_voice_has_the_least_deviation() -> None:
    embedding = np.full((6, WIDTH), 3.0, np.float32)
    got = statistics(pool_frames(embedding, np.zeros(6, np.float32), np.ones(6, np.bool_)))
    assert np.allclose(got[WIDTH:], np.sqrt(VARIANCE_FLOOR), atol=1e-6)


def test_a_batch_is_each_of_its_rows() -> None:
    a, b = pooled(4, 2, 3), pooled(5, 2, 3)
    together = statistics(merge(a, b))
    assert together.shape == (2, 3, 2 * WIDTH)
    for i in range(2):
        for j in range(3):
            alone = statistics(merge(row(a, i, j), row(b, i, j)))
            assert np.allclose(together[i, j], alone, atol=1e-6)


def test_hours_do_not_wear_a_pool_out() -> None:
    """An hour of one voice, then an hour of another; float32 would be off by 1e-4 by then."""
    pool, mask = Pool.empty(1, np.float64), np.ones(6, np.bool_)
    for level in (0.7, 0.1):
        voice = np.full((6, 1), level, np.float32)
        step = pool_frames(voice, np.full(6, 0.3, np.float32), mask)
        for _ in range(15_000):
            pool = merge(pool, step)
    assert np.allclose(statistics(pool), [0.4, 0.3], atol=1e-6)
