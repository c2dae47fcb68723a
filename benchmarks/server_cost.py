"""What a live call costs the server's process: CPU by protocol, without the encoder, and memory."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from benchmarks.line_fit import fit_slope
from benchmarks.process_cpu import resident_mb
from benchmarks.report import Measured
from benchmarks.server_load import (
    BARE_SERVER,
    EVERYBODY,
    hold_twilio_calls,
    json_lines_of,
    need_module,
    server_arguments,
)
from streamtrace.demo.local_server import local_server
from streamtrace.values import HOP_STEPS, STEP_MS

LOAD = "benchmarks.load"
KEPT_EVENTS = 400  # the default of `events_kept_per_call`
HOP_S = HOP_STEPS * STEP_MS / 1000
LEAST_S = 45.0  # what a shorter call grows by says nothing of a long one
MIB = 1024 * 1024
WEBRTC_CALLS = 8  # a WebRTC client costs more than the server does; more would only fight


async def measure_protocols(
    calls: int, twilio_calls: int, seconds: float, model: Path | None, *, repetitions: int = 1
) -> dict[str, Measured]:
    """`server_cpu_ms_per_call_s` of each way in, in turn; Twilio has a generator for many calls."""
    found: dict[str, list[float]] = {}
    async with local_server(*server_arguments(model), settings=EVERYBODY) as server:
        await json_lines_of(LOAD, server.url, "2", "1")  # warms it up
        for _ in range(repetitions):
            for protocol, count in (("pcm", calls), ("whip", min(calls, WEBRTC_CALLS))):
                _say(f"server: {count} calls by {protocol} for {seconds:g} s")
                arguments = (server.url, str(count), str(seconds), "--protocols", protocol)
                flags = ("--unwatched", "--pid", str(server.pid))
                *_, use = await json_lines_of(LOAD, *arguments, *flags)
                found.setdefault(f"server_cpu_ms_per_call_s_{protocol}", []).append(
                    use["cpu_ms_per_call_s"]
                )
            _say(f"server: {twilio_calls} calls by twilio for {seconds:g} s")
            load = await hold_twilio_calls(server, twilio_calls, seconds)
            found.setdefault("server_cpu_ms_per_call_s_twilio", []).append(
                load.cpu_ms_per_call_s or 0.0
            )
    return {key: Measured(values, "ms") for key, values in found.items()}


async def measure_ingest(
    calls: int, seconds: float, model: Path | None, *, repetitions: int = 1
) -> dict[str, Measured]:
    """Calls received, decoded and cut into steps, which go no further."""
    need_module(BARE_SERVER)
    settings = EVERYBODY if model is None else {**EVERYBODY, "model": server_arguments(model)[1]}
    values: list[float] = []
    async with local_server(program=(BARE_SERVER, "--drop"), settings=settings) as server:
        await hold_twilio_calls(server, 2, 4.0)
        for _ in range(repetitions):
            _say(f"ingest: {calls} calls by twilio for {seconds:g} s")
            load = await hold_twilio_calls(server, calls, seconds)
            values.append(load.cpu_ms_per_call_s or 0.0)
    return {"ingest_cpu_ms_per_call_s": Measured(values, "ms")}


async def measure_memory(calls: int, seconds: float, model: Path | None) -> dict[str, Measured]:
    """Resident memory behind `seconds` of so many calls, less what it was before them, by call.

    Events are kept until a call has 400 of them, a little over three minutes: what they cost is
    a line through what was seen while they came in, led on to that number. It is not a measurement
    of full logs.
    """
    samples: list[tuple[float, float]] = []  # seconds, bytes
    async with local_server(*server_arguments(model), settings=EVERYBODY) as server:
        await hold_twilio_calls(server, min(calls, 8), 5.0)
        await asyncio.sleep(1.0)
        before = resident_mb(server.pid) * MIB
        _say(f"memory: {calls} calls by twilio for {seconds:g} s")
        begin_s = asyncio.get_running_loop().time()
        watching = asyncio.create_task(_sample_memory(server.pid, samples))
        try:
            load = await hold_twilio_calls(server, calls, seconds)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
    per_call = (load.summary["server"]["resident_mb"] * MIB - before) / calls
    found = {"rss_bytes_per_call": Measured([per_call], "bytes")}
    if seconds >= LEAST_S:
        # The generator takes its time to connect: within these bounds all calls were live.
        live_s = (begin_s + 3 + calls / 100 + seconds / 3, begin_s + 1 + calls / 100 + seconds)
        live = [one for one in samples if live_s[0] < one[0] < live_s[1]]
        growth = fit_slope(live).value / calls
        to_come = HOP_S * max(0.0, KEPT_EVENTS - seconds / HOP_S)
        full = per_call + max(0.0, growth) * to_come
        found["rss_bytes_per_call_full_log"] = Measured([full], "bytes")
    return found


async def _sample_memory(pid: int, samples: list[tuple[float, float]]) -> None:
    loop = asyncio.get_running_loop()
    while True:
        samples.append((loop.time(), resident_mb(pid) * MIB))
        await asyncio.sleep(0.5)


def _say(text: str) -> None:
    print(f"bench capacity: {text}", file=sys.stderr)
