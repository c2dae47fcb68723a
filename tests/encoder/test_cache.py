"""The arena keeps every leg's memory apart and writes no more of a ring than a step brought."""

from __future__ import annotations

import numpy as np
import pytest

from streamtrace.encoder.cache import TAILS, Cache, StateShape
from streamtrace.values import STEP_FRAMES, Float32s

LEFT_STEPS, LAYERS, WIDTH = 4, 2, 6
SHAPE = StateShape(
    kv=(LAYERS, LEFT_STEPS * STEP_FRAMES, WIDTH),
    tails={"conv": (LAYERS, 3, 2), "features_tail": (1, 5), "subsample_tail": (2, 1, 3)},
)


def new_kv(values: list[float]) -> Float32s:
    """[B, layers, 6, width], each row filled with its value."""
    return np.stack([np.full((LAYERS, STEP_FRAMES, WIDTH), v, np.float32) for v in values])


def tails(values: list[float]) -> dict[str, Float32s]:
    """Every tail, each row filled with its value."""
    return {
        name: np.stack([np.full(SHAPE.tails[name], v, np.float32) for v in values])
        for name in TAILS
    }


def ring(cache: Cache, row: int) -> list[float]:
    """The value that each step of the row's ring holds; they are uniform in these tests."""
    kv = cache.gather(np.array([row]))["kv"].reshape(LAYERS, LEFT_STEPS, -1)
    assert (kv == kv[:1, :, :1]).all()
    return [float(value) for value in kv[0, :, 0]]


def test_a_new_row_is_a_leg_that_has_not_begun() -> None:
    state = Cache(SHAPE, slots=2).gather(np.array([0, 1]))
    assert {name: part.shape[0] for name, part in state.items()} == dict.fromkeys(state, 2)
    assert not any(part.any() for part in state.values())


def test_rows_at_different_positions_write_their_own_oldest_step() -> None:
    cache = Cache(SHAPE, slots=3)
    for value in (1.0, 2.0, 3.0, 4.0):
        cache.scatter(np.array([2]), new_kv([value]), tails([value]))
    cache.scatter(np.array([2, 0]), new_kv([5.0, 7.0]), tails([5.0, 7.0]))
    assert ring(cache, 2) == [5.0, 2.0, 3.0, 4.0]
    assert ring(cache, 0) == [7.0, 0.0, 0.0, 0.0]
    assert ring(cache, 1) == [0.0] * LEFT_STEPS
    state = cache.gather(np.array([0, 1, 2]))
    assert state["steps_done"].tolist() == [1, 0, 5]
    for name in TAILS:
        assert [float(row.flat[0]) for row in state[name]] == [7.0, 0.0, 5.0]


def test_reset_forgets_the_named_rows_alone() -> None:
    cache = Cache(SHAPE, slots=3)
    every = np.arange(3)
    cache.scatter(every, new_kv([1.0, 2.0, 3.0]), tails([1.0, 2.0, 3.0]))
    cache.reset([0, 2])
    state = cache.gather(every)
    assert state["steps_done"].tolist() == [0, 1, 0]
    assert [bool(state["kv"][row].any()) for row in every] == [False, True, False]
    for name in TAILS:
        assert [bool(state[name][row].any()) for row in every] == [False, True, False]


def test_scratch_takes_what_nobody_may_remember() -> None:
    cache = Cache(SHAPE, slots=2)
    rows = np.array([cache.scratch_row, cache.scratch_row])
    cache.scatter(rows, new_kv([1.0, 2.0]), tails([1.0, 2.0]))
    assert not any(part.any() for part in cache.gather(np.arange(2)).values())


def test_a_rows_cost_is_what_its_parts_take() -> None:
    floats = LAYERS * 24 * WIDTH + LAYERS * 3 * 2 + 5 + 6
    assert SHAPE.bytes_per_row == 4 * floats + 8


@pytest.mark.parametrize("rows", [[1], [0, 2, 1]])
def test_a_gathered_batch_has_the_order_asked_for(rows: list[int]) -> None:
    cache = Cache(SHAPE, slots=3)
    cache.scatter(np.arange(3), new_kv([0.0, 1.0, 2.0]), tails([0.0, 1.0, 2.0]))
    state = cache.gather(np.array(rows))
    assert state["kv"][:, 0, 0, 0].tolist() == rows
