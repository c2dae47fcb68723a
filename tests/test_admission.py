"""Admission by measured load, in virtual time."""

from __future__ import annotations

import pytest

from streamtrace.admission import LATE_MS, LIKELY_SHARE, Admission, Load


def load(busiest: float, *, late_ms: float = 0.0) -> Load:
    return Load(loop=busiest, encoder=0.0, cores=0.0, late_ms=late_ms)


def settled(busiest: float, *, legs: int, max_load: float = 0.8) -> Admission:
    """Ten seconds of this load, all calls long known."""
    admission = Admission(max_load)
    for tick in range(40):
        admission.note(load(busiest), legs=legs, now_s=tick / 4)
    return admission


def taken_at_once(admission: Admission, now_s: float) -> int:
    """How many of a thousand calls of the same moment are taken."""
    taken = 0
    for _ in range(1000):
        if admission.refusal(now_s) is None:
            admission.taken(now_s)
            taken += 1
    return taken


@pytest.mark.parametrize("part", ["loop", "encoder", "cores"])
def test_the_busiest_part_counts(part: str) -> None:
    measured = Load(**{"loop": 0.1, "encoder": 0.1, "cores": 0.1, "late_ms": 0.0, part: 0.7})
    assert measured.busiest == 0.7


def test_an_idle_machine_takes_calls() -> None:
    assert Admission(0.8).refusal(0.0) is None
    assert settled(0.01, legs=0).refusal(10.0) is None


def test_a_full_machine_says_how_full_it_is() -> None:
    refusal = settled(0.81, legs=100).refusal(10.0)
    assert refusal == "82% of this machine would be busy, 80% is the limit"


def test_a_burst_is_counted_before_its_load_shows() -> None:
    assert taken_at_once(settled(0.4, legs=100), 10.0) == pytest.approx(100, abs=1)


def test_a_burst_on_an_empty_machine_is_bounded_too() -> None:
    assert taken_at_once(Admission(0.8), 0.0) == pytest.approx(0.8 / LIKELY_SHARE, abs=1)


def test_newcomers_that_turned_out_cheap_make_room_for_more() -> None:
    admission = Admission(0.8)
    first = taken_at_once(admission, 0.0)
    for tick in range(1, 33):
        admission.note(load(0.3), legs=first, now_s=tick / 4)
    assert taken_at_once(admission, 8.0) > 0.9 * first


def test_whoever_has_connected_is_counted_before_it_begins() -> None:
    admission = settled(0.4, legs=100)
    assert admission.refusal(10.0, coming=90) is None
    assert admission.refusal(10.0, coming=110) is not None


def test_late_decisions_close_the_door_whatever_the_load() -> None:
    admission = settled(0.5, legs=100)
    for tick in range(1, 13):
        admission.note(load(0.5, late_ms=3 * LATE_MS), legs=100, now_s=9.75 + tick / 4)
    refusal = admission.refusal(13.0)
    assert refusal is not None
    assert refusal.endswith("ms late")
    for tick in range(1, 13):
        admission.note(load(0.5), legs=100, now_s=12.75 + tick / 4)
    assert admission.refusal(16.0) is None


def test_an_idle_machine_that_is_late_takes_calls() -> None:
    admission = settled(0.1, legs=3)
    admission.note(load(0.1, late_ms=100 * LATE_MS), legs=3, now_s=10.0)
    assert admission.refusal(10.0) is None


def test_starting_up_is_no_load_of_calls() -> None:
    admission = Admission(0.8)
    admission.note(load(1.0, late_ms=900.0), legs=0, now_s=0.0)
    assert admission.refusal(0.0) is None


def test_one_busy_moment_is_not_a_busy_machine() -> None:
    admission = settled(0.3, legs=100)
    admission.note(load(1.0), legs=100, now_s=10.0)
    assert admission.refusal(10.0) is None
