"""Slots are lent once at a time, and never while something still reads them."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from streamtrace.encoder.slots import Lease, Slots
from streamtrace.errors import EngineFull


def test_rows_are_lent_in_turn_until_none_is_left() -> None:
    slots = Slots(2)
    assert {slots.acquire().row, slots.acquire().row} == {0, 1}
    with pytest.raises(EngineFull, match=r"all 2 encoder slots.*engine\.slots"):
        slots.acquire()


def test_a_released_lease_is_over_and_its_row_comes_back_with_another_generation() -> None:
    slots = Slots(1)
    first = slots.acquire()
    assert slots.release(first)
    second = slots.acquire()
    assert (second.row, slots.is_current(first), slots.is_current(second)) == (0, False, True)
    assert second.generation != first.generation


def test_releasing_twice_frees_once() -> None:
    slots = Slots(1)
    first = slots.acquire()
    assert slots.release(first)
    second = slots.acquire()
    assert not slots.release(first)
    assert slots.is_current(second)


def test_a_pinned_row_is_free_only_behind_its_batch() -> None:
    slots = Slots(1)
    lease = slots.acquire()
    assert slots.pin(lease)
    assert not slots.release(lease)
    with pytest.raises(EngineFull):
        slots.acquire()
    assert slots.unpin(lease.row)
    assert slots.acquire().row == lease.row


def test_unpinning_a_lent_row_keeps_it_lent() -> None:
    slots = Slots(1)
    lease = slots.acquire()
    slots.pin(lease)
    assert not slots.unpin(lease.row)
    assert slots.is_current(lease)
    assert slots.in_use == 1


def test_a_lease_that_is_over_cannot_pin_its_successors_row() -> None:
    slots = Slots(1)
    old = slots.acquire()
    slots.release(old)
    slots.acquire()
    assert not slots.pin(old)
    assert not slots.is_pinned(0)


@given(st.lists(st.tuples(st.sampled_from(["acquire", "release", "pin", "unpin"]), st.integers())))
def test_no_row_ever_has_two_tenants(moves: list[tuple[str, int]]) -> None:
    slots = Slots(3)
    held: list[Lease] = []
    running: set[int] = set()
    for move, pick in moves:
        match move:
            case "acquire" if slots.in_use < 3:
                lease = slots.acquire()
                assert lease.row not in running | {other.row for other in held}
                held.append(lease)
            case "release" if held:
                slots.release(held.pop(pick % len(held)))
            case "pin" if held:
                lease = held[pick % len(held)]
                assert slots.pin(lease)
                running.add(lease.row)
            case "unpin" if running:
                row = sorted(running)[pick % len(running)]
                running.discard(row)
                slots.unpin(row)
            case _:
                pass
        assert slots.in_use == len(running | {lease.row for lease in held})
