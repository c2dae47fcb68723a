"""What is read from a crowd of calls: when it was there, and when it is felt no more."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.crowd import REFUSED, Crowd, per_second_p99, recovery_s
from benchmarks.overload import summarise
from benchmarks.server_load import TwilioLoad


def call(begin_s: float, latency_ms: list[float]) -> dict[str, Any]:
    """A call that was decided on at each hop, each time so late."""
    decided = [begin_s + 0.48 * (hop + 1) + ms / 1000 for hop, ms in enumerate(latency_ms)]
    return {"failure": None, "call_id": "c", "latency_ms": latency_ms, "decided_s": decided}


def crowd(calls: list[dict[str, Any]], seconds: float, dropped_ms: int = 0) -> Crowd:
    """As the generator would tell of them."""
    frames = sum(round(seconds / 0.02) for one in calls if one["failure"] is None)
    summary = {"gap_ms": {"lost": 0, "dropped": dropped_ms}, "frames_sent": frames}
    return Crowd.of(TwilioLoad(summary, tuple(calls)), seconds)


def test_a_crowd_is_there_from_its_first_word_to_its_last() -> None:
    refused = {"failure": REFUSED, "call_id": None, "latency_ms": [], "decided_s": []}
    came = crowd([call(100.2, [300.0] * 4), call(100.4, [10.0] * 4), refused], 2.0)
    assert (came.offered, came.refused, came.taken) == (3, 1, 2)
    assert (came.begin_s, came.end_s) == pytest.approx((100.2, 102.4))
    assert came.sent_between(99.0, 103.0) == came.sent_ms == 4000
    assert came.sent_between(100.2, 101.3) == pytest.approx(2000)
    assert came.sent_between(200.0, 300.0) == 0


def test_the_slowest_of_every_second() -> None:
    assert per_second_p99([(7.1, 5.0), (7.9, 5.0), (9.5, 3.0)]) == (7, [5.0, None, 3.0])
    assert per_second_p99([]) == (0, [])


def test_recovery_counts_from_when_the_crowd_has_gone() -> None:
    # 10 s at rest, 10 s of crowd, 3 s more until the backlog is gone
    latency = [10.0] * 21 + [1900.0] * 27 + [10.0] * 20
    steady = crowd([call(1000.0, latency)], 33.0)
    assert recovery_s(steady, 1010.0, 1020.0) == pytest.approx(5.0, abs=1.0)
    never = crowd([call(1000.0, [10.0] * 21 + [1900.0] * 40)], 33.0)
    assert recovery_s(never, 1010.0, 1020.0) is None
    assert recovery_s(steady, 900.0, 1020.0) is None  # nobody knows how it was before


def test_both_groups_count_while_they_are_together() -> None:
    steady = crowd([call(1000.0, [10.0] * 20 + [100.0] * 20 + [10.0] * 20)], 29.0)
    passing = crowd([call(1010.0, [200.0] * 18)], 9.0, dropped_ms=900)
    found, series = summarise(steady, passing)
    assert found["decision_latency_p99_ms"].values[0] > 150
    assert found["audio_dropped_ratio"].values == [pytest.approx(0.05)]
    assert found["calls_taken"].values == [2]
    assert series[0] == 10.0
    assert len(series) >= 28
