"""Which number of calls counts as held, and what a picture of them shows."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks.capacity import concurrent_calls
from benchmarks.curve import draw
from benchmarks.ladder import Ladder, Rung
from benchmarks.server_load import TwilioLoad


def load(**changes: Any) -> TwilioLoad:
    """What the generator says of 50 calls that went well."""
    summary: dict[str, Any] = {
        "refused": 0,
        "failed": {},
        "without_final": 0,
        "latency_ms": {"p50": 9.0, "p95": 20.0, "p99": 40.0, "max": 60.0},
        "gap_ms": {"lost": 0, "dropped": 0},
        "frames_sent": 1000,
        "generator": {"late_ms_p99": 1.0},
        "server": {"cpu_ms_per_call_s": 12.0, "cores": 0.6},
    }
    return TwilioLoad(summary | changes, ())


def test_calls_that_are_served_in_time_hold() -> None:
    rung = Rung.of(50, load())
    assert rung.holds
    assert rung.as_json()["holds"] is True
    assert (rung.p50_ms, rung.p99_ms, rung.server_cores) == (9.0, 40.0, 0.6)


@pytest.mark.parametrize(
    "changes",
    [
        {"latency_ms": {"p50": 9.0, "p95": 20.0, "p99": 480.0, "max": 600.0}},
        {"latency_ms": None},
        {"gap_ms": {"lost": 0, "dropped": 20}},
        {"refused": 1},
        {"failed": {"the connection broke": 1}},
        {"without_final": 1},
    ],
)
def test_late_dropped_refused_or_broken_calls_do_not_hold(changes: dict[str, Any]) -> None:
    assert not Rung.of(50, load(**changes)).holds


def test_what_a_server_did_not_say_is_not_known() -> None:
    silent = load(server=None)
    assert silent.cpu_ms_per_call_s is None
    assert silent.sent_ms == 20_000


def rung(calls: int, p99_ms: float) -> Rung:
    """As it came out."""
    return Rung(calls, p99_ms / 4, p99_ms, 0.0, 1.0, 10.0, 1.0, None)


def test_the_best_rung_is_told_with_every_time_that_it_was_tried() -> None:
    rungs = rung(50, 20.0), rung(100, 90.0), rung(120, 700.0), rung(100, 110.0)
    found = concurrent_calls(Ladder(rungs, rungs[-1]))
    assert found["concurrent_calls"].values == [100]
    assert found["decision_latency_p99_ms_at_most"].values == [90.0, 110.0]
    assert concurrent_calls(Ladder(rungs[2:3], None))["concurrent_calls"].values == [0]


def test_the_picture_has_a_point_for_each_number_of_calls() -> None:
    rungs = rung(50, 20.0), rung(100, 90.0), rung(120, 700.0), rung(100, 110.0)
    svg = draw([one.as_json() for one in rungs], "Latency <of> calls")
    root = ElementTree.fromstring(svg)
    space = "{http://www.w3.org/2000/svg}"
    assert root.findtext(f"{space}title") == "Latency <of> calls"
    circles = root.findall(f"{space}circle")
    assert len(circles) == 2 * 3  # half of all, and 99 of 100
    hollow = [one for one in circles if one.get("fill") == "none"]
    assert len(hollow) == 2  # those of 120 calls, which did not hold
    words = {one.text for one in root.findall(f"{space}text")}
    assert {"50", "100", "120", "one hop: 480 ms"} <= words
    for circle in circles:
        assert 0 < float(circle.get("cx", "0")) < 720
        assert 0 < float(circle.get("cy", "0")) < 400
