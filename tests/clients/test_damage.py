"""The damaged line: long-run rates, burst lengths, order and repeatability."""

from __future__ import annotations

from itertools import groupby, islice, pairwise

import pytest

from streamtrace.clients.damage import LineDamage, departures

MANY = 50_000


@pytest.mark.parametrize(("loss", "burst"), [(1, 1), (5, 1), (5, 4), (30, 2), (60, 1)])
def test_loss_and_burst_are_what_was_asked_for(loss: float, burst: int):
    lost = [delay is None for delay in islice(LineDamage(loss, burst).delays(), MANY)]
    assert sum(lost) / MANY == pytest.approx(loss / 100, rel=0.15)
    runs = [len(list(run)) for is_lost, run in groupby(lost) if is_lost]
    if loss <= 30:  # beyond, single losses touch each other
        assert sum(runs) / len(runs) == pytest.approx(burst, rel=0.15)


def test_a_perfect_line_keeps_every_frame_in_its_place():
    schedule = departures(100, 0.02, LineDamage())
    assert [departure.frame for departure in schedule] == list(range(100))
    assert schedule[7].at_s == pytest.approx(0.14)
    assert not LineDamage().is_any


def test_everything_can_be_lost():
    assert departures(100, 0.02, LineDamage(loss_percent=100)) == []


def test_reordered_frames_arrive_behind_their_successors():
    order = [d.frame for d in departures(1_000, 0.02, LineDamage(reorder_percent=10))]
    overtaken = sum(a > b for a, b in pairwise(order))
    assert 50 < overtaken < 150
    assert sorted(order) == list(range(1_000))


def test_jitter_delays_by_at_most_what_was_asked_for():
    schedule = departures(1_000, 0.02, LineDamage(jitter_ms=15))
    delays = [departure.at_s - departure.frame * 0.02 for departure in schedule]
    assert -1e-9 < min(delays) < 0.001
    assert 0.014 < max(delays) <= 0.015


def test_the_same_seed_damages_alike_and_another_call_otherwise():
    line = LineDamage(loss_percent=10, seed=3)
    assert departures(500, 0.02, line) == departures(500, 0.02, line)
    assert departures(500, 0.02, line.for_call(1)) != departures(500, 0.02, line)
