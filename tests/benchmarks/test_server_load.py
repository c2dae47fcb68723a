"""Servers and generators as the benchmarks use them: settings, what they print, how they fail."""

from __future__ import annotations

from importlib.util import find_spec

import httpx
import pytest

from benchmarks.event_loop import CannotMeasure
from benchmarks.ladder import climb
from benchmarks.server_load import (
    TWILIO_LOAD,
    hold_twilio_calls,
    json_lines_of,
    need_module,
    server_arguments,
)
from streamtrace.demo.local_server import local_server
from streamtrace.errors import CallFailed
from tests.bundles import tiny_model

needs_generator = pytest.mark.skipif(find_spec(TWILIO_LOAD) is None, reason="no such generator")


async def test_paced_calls_say_what_the_server_used_for_them() -> None:
    model = server_arguments(tiny_model().bundle.path)
    async with local_server(*model, settings={"slots": 2, "max_load": 1000}) as server:
        arguments = (server.url, "2", "4", "--protocols", "pcm", "--unwatched")
        told = await json_lines_of("benchmarks.load", *arguments, "--pid", str(server.pid))
        assert [call["failure"] for call in told[:-1]] == [None, None]
        assert told[-1]["cpu_ms_per_call_s"] >= told[-1]["loop_ms_per_call_s"] > 0
        async with httpx.AsyncClient(trust_env=False) as http:
            calls = (await http.get(f"{server.url}/v1/calls")).json()["calls"]
        assert [call["state"] for call in calls] == ["ended", "ended"]


async def test_a_generator_that_breaks_is_told() -> None:
    with pytest.raises(CallFailed, match=r"benchmarks\.load failed with exit code"):
        await json_lines_of("benchmarks.load", "http://127.0.0.1:1", "--nonsense")


def test_a_part_that_is_not_there_is_named() -> None:
    with pytest.raises(CannotMeasure, match=r"no benchmarks/cheaper_load\.py"):
        need_module("benchmarks.cheaper_load")
    need_module("benchmarks.load")


@needs_generator
async def test_twilio_calls_beyond_what_the_server_takes_are_refused() -> None:
    model = server_arguments(tiny_model().bundle.path)
    async with local_server(*model, settings={"slots": 1, "max_load": 1000}) as server:
        load = await hold_twilio_calls(server, 3, 4.0, each=True)
    assert len(load.calls) == 3
    assert load.summary["refused"] == 2
    assert load.trouble == "refused 2"
    assert load.p99_ms is not None
    assert load.server_cores is not None


@needs_generator
async def test_a_few_calls_of_a_small_model_hold() -> None:
    ladder = await climb([2], 3.0, tiny_model().bundle.path, confirm=False, warm_s=1.0)
    assert [rung.calls for rung in ladder.rungs] == [2]
    assert [rung.trouble for rung in ladder.rungs] == [None]
