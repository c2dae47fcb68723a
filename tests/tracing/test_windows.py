"""The windows of many legs: each its newest sixteen steps and nothing else."""

from __future__ import annotations

import numpy as np

from streamtrace.tracing.accumulate import Pool, merge, pool_frames, statistics
from streamtrace.tracing.windows import Rows, Windows
from streamtrace.values import WINDOW_STEPS
from tests import builders

WIDTH = 5


def pooled(index: int) -> Pool:
    frames = builders.frames(index, dim=WIDTH)
    return pool_frames(frames.embedding, frames.attention, np.ones(6, np.bool_))


def add(windows: Windows, row: int, index: int) -> None:
    pool = pooled(index)
    one = Pool(*(part[None] for part in (pool.peak, pool.weight, pool.first, pool.second)))
    windows.add(np.array([row]), np.array([index]), one, np.array([index]))


def merged(windows: Windows, row: int) -> tuple[Pool, int]:
    """The row's pool and its speech."""
    pools, speech_ms = windows.merged(np.array([row]))
    one = Pool(pools.peak[0], pools.weight[0], pools.first[0], pools.second[0])
    return one, int(speech_ms[0])


def window_of(indices: list[int]) -> tuple[Pool, int]:
    """A window between two others that are busy with something else."""
    windows = Windows(3, WIDTH)
    for index in indices:
        add(windows, 1, index)
        add(windows, 0, 2 * index + 1)
        add(windows, 2, index + 7)
    return merged(windows, 1)


def test_before_the_first_step_it_is_empty() -> None:
    pool, speech_ms = merged(Windows(2, WIDTH), 1)
    assert speech_ms == 0
    assert np.array_equal(statistics(pool), statistics(Pool.empty(WIDTH)))


def test_a_reset_row_is_like_new_and_its_neighbour_is_not() -> None:
    windows = Windows(2, WIDTH)
    for index in range(20):
        add(windows, 0, index)
        add(windows, 1, index)
    kept, _ = merged(windows, 1)
    windows.reset(np.array([0]))
    pool, speech_ms = merged(windows, 0)
    assert speech_ms == 0
    assert np.array_equal(statistics(pool), statistics(Pool.empty(WIDTH)))
    assert np.array_equal(statistics(merged(windows, 1)[0]), statistics(kept))
    add(windows, 0, 2)
    assert np.array_equal(statistics(merged(windows, 0)[0]), statistics(pooled(2)))


def test_a_batch_is_each_row_alone() -> None:
    indices: Rows = np.array([3, 19, 40])
    together, alone = Windows(3, WIDTH), Windows(3, WIDTH)
    pools = [pooled(int(index)) for index in indices]
    stacked = Pool(
        *(
            np.stack([getattr(pool, part) for pool in pools])
            for part in ("peak", "weight", "first", "second")
        )
    )
    together.add(np.arange(3), indices, stacked, indices)
    for row, index in enumerate(indices):
        add(alone, row, int(index))
    found, speech_ms = together.merged(np.arange(3))
    wanted, wanted_ms = alone.merged(np.arange(3))
    assert np.array_equal(statistics(found), statistics(wanted))
    assert np.array_equal(speech_ms, wanted_ms)


def test_it_slides() -> None:
    for last in (0, 3, 15, 16, 40):
        pool, speech_ms = window_of(list(range(last + 1)))
        inside = range(max(0, last + 1 - WINDOW_STEPS), last + 1)
        want = Pool.empty(WIDTH)
        for index in inside:
            want = merge(want, pooled(index))
        assert np.allclose(statistics(pool), statistics(want), atol=1e-5)
        assert speech_ms == sum(inside)


def test_steps_that_never_came_leave_it_emptier() -> None:
    pool, speech_ms = window_of([*range(20), 30])
    want = pooled(30)
    for index in (15, 16, 17, 18, 19):
        want = merge(want, pooled(index))
    assert np.allclose(statistics(pool), statistics(want), atol=1e-5)
    assert speech_ms == 30 + 15 + 16 + 17 + 18 + 19


def test_behind_a_long_gap_only_the_new_step_is_left() -> None:
    for index in (36, 37, 1000):
        pool, speech_ms = window_of([*range(20), index])
        assert np.array_equal(statistics(pool), statistics(pooled(index)))
        assert speech_ms == index


def test_a_leg_may_begin_late() -> None:
    pool, _ = window_of([123])
    assert np.array_equal(statistics(pool), statistics(pooled(123)))
