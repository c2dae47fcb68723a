"""The load generator for every protocol, a process of its own: paced calls all at once.

`python -m benchmarks.load URL CALLS SECONDS [--protocols P…] [--unwatched] [--pid SERVER]` prints
one JSON object per call: what came back. With `--unwatched` nobody follows the calls' events; with
the server's process id a last object says what the server used in the middle of the run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import cycle
from typing import Any

import numpy as np

from benchmarks.process_cpu import CpuUsed
from streamtrace.clients.follow import follow_call
from streamtrace.clients.place import CLIENTS, new_external_id, place_call
from streamtrace.demo.callers import synthetic_callers
from streamtrace.errors import CallFailed
from streamtrace.values import HOP_STEPS, SAMPLE_RATE_HZ, STEP_MS, Float32s

PROTOCOLS = ("twilio", "pcm")
FINAL_WITHIN_S = 15.0
SETTLE_S = 3.0  # until the last call is connected; WebRTC takes its time
SPREAD_S = HOP_STEPS * STEP_MS / 1000


@dataclass(slots=True)
class HeldCall:
    """What one call gave back."""

    protocol: str
    latency_ms: list[float] = field(default_factory=list[float])  # of every decision, total
    first_verdict_ms: float | None = None
    is_final: bool = False
    failure: str | None = None


async def hold_calls(
    url: str,
    calls: int,
    seconds: float,
    *,
    protocols: Sequence[str] = PROTOCOLS,
    watched: bool = True,
) -> list[HeldCall]:
    """Place all calls; their starts are spread over one hop, as those of strangers are."""
    voices = cycle([caller.pcm for caller in synthetic_callers()])
    held = [HeldCall(protocols[number % len(protocols)]) for number in range(calls)]
    hold = _hold_watched if watched else _hold
    async with asyncio.TaskGroup() as group:
        for number, call in enumerate(held):
            pcm = np.resize(next(voices), round(seconds * SAMPLE_RATE_HZ))  # repeats to fill
            group.create_task(hold(url, call, pcm, number * SPREAD_S / calls))
    return held


async def server_use(pid: int, calls: int, seconds: float) -> dict[str, Any]:
    """Milliseconds of the server's CPU for one second of one call, while all are live."""
    await asyncio.sleep(SETTLE_S)
    before = CpuUsed.of(pid)
    await asyncio.sleep(max(0.5, seconds - SETTLE_S - 0.5))
    used = CpuUsed.of(pid).since(before)
    call_s = calls * used.at_s
    return {
        "window_s": round(used.at_s, 2),
        "cpu_ms_per_call_s": round(1000 * (used.loop_s + used.others_s) / call_s, 3),
        "loop_ms_per_call_s": round(1000 * used.loop_s / call_s, 3),
    }


async def _hold(
    url: str, call: HeldCall, pcm: Float32s, wait_s: float, external_id: str | None = None
) -> None:
    await asyncio.sleep(wait_s)
    try:
        await place_call(url, pcm, protocol=call.protocol, external_id=external_id)
    except CallFailed as failure:
        call.failure = str(failure)


async def _hold_watched(url: str, call: HeldCall, pcm: Float32s, wait_s: float) -> None:
    external_id = new_external_id(call.protocol)
    following = asyncio.create_task(_follow(url, external_id, call, wait_s))
    try:
        await _hold(url, call, pcm, wait_s, external_id)
        if call.failure is None:
            async with asyncio.timeout(FINAL_WITHIN_S):
                await following
    except (CallFailed, TimeoutError) as failure:
        call.failure = str(failure) or "no final decision"
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def _follow(url: str, external_id: str, call: HeldCall, wait_s: float) -> None:
    await asyncio.sleep(wait_s)
    async for event in follow_call(url, external_id):
        if event["type"] != "call.score.v1":
            continue
        data = event["data"]
        if data["is_final"]:
            call.is_final = True
            call.first_verdict_ms = data["first_verdict_ms"]
        elif latency := data.get("latency_ms"):
            call.latency_ms.append(latency["total"])


async def _run(given: argparse.Namespace) -> None:
    async with asyncio.TaskGroup() as group:
        looking = given.pid and group.create_task(server_use(given.pid, given.calls, given.seconds))
        held = await hold_calls(
            given.url,
            given.calls,
            given.seconds,
            protocols=given.protocols,
            watched=not given.unwatched,
        )
    for call in held:
        print(json.dumps(asdict(call)))
    if looking:
        print(json.dumps(looking.result()))


def main() -> None:
    """Run argv."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load")
    parser.add_argument("url")
    parser.add_argument("calls", type=int)
    parser.add_argument("seconds", type=float)
    parser.add_argument("--protocols", nargs="+", choices=CLIENTS, default=PROTOCOLS)
    parser.add_argument("--unwatched", action="store_true", help="nobody follows the events")
    parser.add_argument("--pid", type=int, help="the server's process, to measure its CPU")
    asyncio.run(_run(parser.parse_args()))


if __name__ == "__main__":
    main()
