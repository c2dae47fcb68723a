"""The arena keeps every leg's memory apart and writes no more of a ring than a step brought."""

from __future__ import annotations

import numpy as np

from streamtrace.encoder.cache import Array, Cache, StateShape, tail_names
from streamtrace.values import STEP_FRAMES, Float32s

LEFT_STEPS, LAYERS, HEADS, WIDTH = 4, 2, 3, 5
SHAPE = StateShape(
    layers=LAYERS,
    ring=(HEADS, LEFT_STEPS * STEP_FRAMES, WIDTH),
    tails={
        "conv_0": (3, 2),
        "conv_1": (3, 2),
        "features_tail": (1, 5),
        "subsample_tail": (2, 1, 3),
    },
)
RINGS = ("keys_0", "values_0", "keys_1", "values_1")


def memory(values: list[float]) -> list[Float32s]:
    """What a step leaves behind, each row filled with its value."""

    def filled(*shape: int) -> Float32s:
        return np.stack([np.full(shape, v, np.float32) for v in values])

    new = (STEP_FRAMES, 2 * HEADS * WIDTH)
    layers = [
        part
        for layer in range(LAYERS)
        for part in (filled(*new), filled(*SHAPE.tails[f"conv_{layer}"]))
    ]
    return [*layers, filled(1, 5), filled(2, 1, 3)]


def gathered(cache: Cache, rows: list[int]) -> dict[str, Array]:
    """What a graph reads of these rows."""
    at = np.array(rows)
    return {name: part[at] for name, part in cache.inputs(at).items() if name != "rows"}


def ring(cache: Cache, row: int) -> list[float]:
    """The value that each step of the row's rings holds; they are uniform in these tests."""
    state = gathered(cache, [row])
    steps = np.stack([state[name].reshape(HEADS, LEFT_STEPS, -1) for name in RINGS])
    assert (steps == steps[:1, :1, :, :1]).all()
    return [float(value) for value in steps[0, 0, :, 0]]


def test_a_new_row_is_a_leg_that_has_not_begun() -> None:
    state = gathered(Cache(SHAPE, slots=2), [0, 1])
    assert {name: part.shape[0] for name, part in state.items()} == dict.fromkeys(state, 2)
    assert not any(part.any() for part in state.values())


def test_rows_at_different_positions_write_their_own_oldest_step() -> None:
    cache = Cache(SHAPE, slots=3)
    for value in (1.0, 2.0, 3.0, 4.0):
        cache.scatter(np.array([2]), memory([value]))
    cache.scatter(np.array([2, 0]), memory([5.0, 7.0]))
    assert ring(cache, 2) == [5.0, 2.0, 3.0, 4.0]
    assert ring(cache, 0) == [7.0, 0.0, 0.0, 0.0]
    assert ring(cache, 1) == [0.0] * LEFT_STEPS
    state = gathered(cache, [0, 1, 2])
    assert state["steps_done"].tolist() == [1, 0, 5]
    for name in tail_names(LAYERS):
        assert [float(row.flat[0]) for row in state[name]] == [7.0, 0.0, 5.0]


def test_reset_forgets_the_named_rows_alone() -> None:
    cache = Cache(SHAPE, slots=3)
    every = np.arange(3)
    cache.scatter(every, memory([1.0, 2.0, 3.0]))
    cache.reset([0, 2])
    state = gathered(cache, [0, 1, 2])
    assert state["steps_done"].tolist() == [0, 1, 0]
    assert [bool(state["keys_1"][row].any()) for row in every] == [False, True, False]
    for name in tail_names(LAYERS):
        assert [bool(state[name][row].any()) for row in every] == [False, True, False]


def test_keys_come_before_values_and_heads_before_frames() -> None:
    cache = Cache(SHAPE, slots=1)
    left = memory([0.0])
    left[0] = np.arange(left[0].size, dtype=np.float32).reshape(left[0].shape)
    cache.scatter(np.array([0]), left)
    cache.scatter(np.array([0]), left)
    parts = left[0].reshape(STEP_FRAMES, 2, HEADS, WIDTH)
    state = gathered(cache, [0])
    for number, name in enumerate(("keys_0", "values_0")):
        for at in (slice(0, STEP_FRAMES), slice(STEP_FRAMES, 2 * STEP_FRAMES)):
            assert (state[name][0, :, at] == parts[:, number].swapaxes(0, 1)).all()
        assert not state[name][0, :, 2 * STEP_FRAMES :].any()


def test_a_rows_cost_is_what_its_parts_take() -> None:
    floats = 2 * LAYERS * HEADS * 24 * WIDTH + LAYERS * 3 * 2 + 5 + 6
    assert SHAPE.bytes_per_row == 4 * floats + 8


def test_memory_is_read_where_it_lies() -> None:
    cache = Cache(SHAPE, slots=3)
    before = cache.inputs(np.array([2, 0]))
    cache.scatter(np.array([1]), memory([4.0]))
    after = cache.inputs(np.array([1]))
    assert before["rows"].tolist() == [2, 0]
    for name, part in after.items():
        assert part.flags.c_contiguous
        assert name == "rows" or np.shares_memory(part, before[name])
    assert before["values_1"][1, 0, 0, 0] == 4.0
