"""The sliding window: its newest sixteen steps and nothing else."""

from __future__ import annotations

import numpy as np

from streamtrace.tracing.accumulate import Pool, merge, pool_frames, statistics
from streamtrace.tracing.windows import SlidingWindow
from streamtrace.values import WINDOW_STEPS, Frames
from tests import builders

WIDTH = 5


def pooled(index: int) -> Pool:
    frames: Frames = builders.frames(index, dim=WIDTH)
    return pool_frames(frames.embedding, frames.attention, np.ones(6, np.bool_))


def window_of(indices: list[int]) -> SlidingWindow:
    window = SlidingWindow(WIDTH)
    for index in indices:
        window.add(index, pooled(index), speech_ms=index)
    return window


def test_before_the_first_step_it_is_empty() -> None:
    pool, speech_ms = SlidingWindow(WIDTH).merged()
    assert speech_ms == 0
    assert np.array_equal(statistics(pool), statistics(Pool.empty(WIDTH)))


def test_it_slides() -> None:
    for last in (0, 3, 15, 16, 40):
        pool, speech_ms = window_of(list(range(last + 1))).merged()
        inside = range(max(0, last + 1 - WINDOW_STEPS), last + 1)
        want = Pool.empty(WIDTH)
        for index in inside:
            want = merge(want, pooled(index))
        assert np.allclose(statistics(pool), statistics(want), atol=1e-5)
        assert speech_ms == sum(inside)


def test_steps_that_never_came_leave_it_emptier() -> None:
    pool, speech_ms = window_of([*range(20), 30]).merged()
    want = pooled(30)
    for index in (15, 16, 17, 18, 19):
        want = merge(want, pooled(index))
    assert np.allclose(statistics(pool), statistics(want), atol=1e-5)
    assert speech_ms == 30 + 15 + 16 + 17 + 18 + 19


def test_behind_a_long_gap_only_the_new_step_is_left() -> None:
    for index in (36, 37, 1000):
        pool, speech_ms = window_of([*range(20), index]).merged()
        assert np.array_equal(statistics(pool), statistics(pooled(index)))
        assert speech_ms == index


def test_a_leg_may_begin_late() -> None:
    pool, _ = window_of([123]).merged()
    assert np.array_equal(statistics(pool), statistics(pooled(123)))
