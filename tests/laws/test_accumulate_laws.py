"""Pooling laws: piece by piece equals one softmax over all frames, in any order and any batch."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings, strategies as st

from streamtrace.tracing.accumulate import (
    VARIANCE_FLOOR,
    Pool,
    merge,
    pool_frames,
    statistics,
)
from streamtrace.tracing.windows import Windows
from streamtrace.values import WINDOW_STEPS, Bools, Float32s

pytestmark = pytest.mark.laws

WIDTH = 3


@st.composite
def frames(draw: st.DrawFn) -> tuple[Float32s, Float32s, Bools]:
    """[N, 6, D], [N, 6], [N, 6]: steps whose logits drift, some of their frames unusable."""
    steps = draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    spread = draw(st.sampled_from([0.0, 1.0, 10.0, 200.0]))
    drift = draw(st.sampled_from([-3.0, 0.0, 3.0])) * np.arange(steps)[:, None]
    share = draw(st.sampled_from([0.0, 0.1, 0.7, 1.0]))
    return (
        rng.standard_normal((steps, 6, WIDTH)).astype(np.float32),
        (spread * rng.standard_normal((steps, 6)) + drift).astype(np.float32),
        rng.random((steps, 6)) < share,
    )


def offline(embedding: Float32s, logits: Float32s, mask: Bools) -> npt.NDArray[np.float64]:
    """The definition: softmax over all usable frames, then weighted mean and deviation."""
    if not mask.any():
        return np.concatenate([np.zeros(WIDTH), np.full(WIDTH, np.sqrt(VARIANCE_FLOOR))])
    chosen, usable = embedding[mask].astype(np.float64), logits[mask].astype(np.float64)
    weights = np.exp(usable - usable.max())
    weights /= weights.sum()
    mean = weights @ chosen
    variance = weights @ np.square(chosen - mean)
    return np.concatenate([mean, np.sqrt(np.maximum(variance, VARIANCE_FLOOR))])


def online(embedding: Float32s, logits: Float32s, mask: Bools, order: list[int]) -> Float32s:
    pool = Pool.empty(WIDTH, np.float64)
    for step in order:
        pool = merge(pool, pool_frames(embedding[step], logits[step], mask[step]))
    return statistics(pool)


@settings(max_examples=150, deadline=None)
@given(frames())
def test_online_equals_offline(given_frames: tuple[Float32s, Float32s, Bools]) -> None:
    steps = list(range(len(given_frames[0])))
    assert np.allclose(online(*given_frames, steps), offline(*given_frames), atol=1e-3)


@settings(max_examples=60, deadline=None)
@given(frames(), st.randoms(use_true_random=False))
def test_order_does_not_matter(given_frames, random) -> None:
    steps = list(range(len(given_frames[0])))
    want = online(*given_frames, steps)
    random.shuffle(steps)
    assert np.allclose(online(*given_frames, steps), want, atol=1e-3)


@settings(max_examples=60, deadline=None)
@given(frames())
def test_a_batch_of_steps_is_each_step_alone(given_frames) -> None:
    together = statistics(pool_frames(*given_frames))
    for step, row in enumerate(together):
        alone = statistics(pool_frames(*(part[step] for part in given_frames)))
        assert np.allclose(row, alone, atol=1e-5)


@settings(max_examples=100, deadline=None)
@given(frames(), st.sets(st.integers(0, 39)))
def test_the_window_equals_offline_pooling(given_frames, missing: set[int]) -> None:
    embedding, logits, mask = given_frames
    windows, row, mask = Windows(2, WIDTH), np.array([1]), mask.copy()
    for step in range(len(embedding)):
        if step in missing:
            mask[step] = False
            continue
        at = slice(step, step + 1)
        pools = pool_frames(embedding[at], logits[at], mask[at])
        windows.add(row, np.array([step]), pools, mask[at].sum(axis=1))
        inside = slice(max(0, step + 1 - WINDOW_STEPS), step + 1)
        pool, usable = windows.merged(row)
        want = offline(embedding[inside], logits[inside], mask[inside])
        assert np.allclose(statistics(pool), want, atol=1e-3)
        assert usable == mask[inside].sum()
