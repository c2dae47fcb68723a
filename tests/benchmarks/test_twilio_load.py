"""The load generator against a real server: what it measures, and what it says of failures."""

from __future__ import annotations

import asyncio
import os

import pytest

from benchmarks.bare_engine import BareEngine
from benchmarks.twilio_load import place_calls
from benchmarks.twilio_outcome import CallOutcome, summarise
from streamtrace.server.listening import listen
from streamtrace.server.serving import serve_until
from streamtrace.settings import Settings
from tests.bundles import tiny_model
from tests.live_server import live_server


async def test_all_calls_come_to_their_finals() -> None:
    async with live_server(model=tiny_model().bundle.path) as url:
        summary, outcomes = await place_calls(url, 3, 3.0, pid=os.getpid())
    assert summary["failed"] == {}
    assert summary["closed"] == {"1000 hung_up": 3}
    assert summary["without_final"] == 0
    assert summary["gap_ms"] == {"lost": 0, "dropped": 0}
    assert summary["frames_sent"] == 3 * 150
    assert summary["decisions"] == 3 * 6
    assert summary["latency_ms"]["p50"] > 0
    assert summary["server"]["cpu_ms_per_call_s"] > 0
    assert {outcome.is_final for outcome in outcomes} == {True}


async def test_refused_calls_are_counted_apart() -> None:
    async with live_server(model=tiny_model().bundle.path, max_calls=2) as url:
        summary, _ = await place_calls(url, 3, 3.0, spread_s=0.0)
    assert summary["refused"] == 1
    assert summary["failed"] == {}
    assert summary["without_final"] == 0


@pytest.mark.parametrize(("drop", "decisions"), [(True, 0), (False, 4)])
async def test_a_server_whose_encoder_has_nothing_to_do(drop: bool, decisions: int) -> None:
    settings = Settings(model=tiny_model().bundle.path, slots=4, workers=1)
    stop = asyncio.Event()
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    with listen("127.0.0.1", 0) as listener:
        async with asyncio.TaskGroup() as group:
            engine = BareEngine(settings, drop=drop)
            group.create_task(
                serve_until(stop, settings, listener, on_ready=ready.set_result, engine=engine)
            )
            try:
                summary, _ = await place_calls(await ready, 1, 2.0)
            finally:
                stop.set()
    assert (summary["decisions"], summary["without_final"]) == (decisions, 0)


def test_the_summary_says_what_was_lost_and_when_it_was_slow() -> None:
    quick, slow, gone = CallOutcome("a"), CallOutcome("b"), CallOutcome("c", failure="HTTP 500")
    quick.latency_ms, quick.decided_s = [1.0, 3.0], [10.2, 12.9]
    slow.latency_ms, slow.decided_s, slow.gap_ms = [9.0], [10.7], {"dropped": 40, "lost": 20}
    summary = summarise([quick, slow, gone])
    assert summary["latency_p99_ms_by_second"] == [8.92, None, 3.0]
    assert summary["gap_ms"] == {"lost": 20, "dropped": 40}
    assert summary["failed"] == {"HTTP 500": 1}
    assert summary["latency_ms"]["max"] == 9.0
