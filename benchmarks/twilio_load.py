"""Many paced Twilio calls from one cheap process of its own, and what came back.

`python -m benchmarks.twilio_load URL CALLS SECONDS [--pid SERVER] [--at-once] [--each]` prints one
JSON object; with `--each` one per call before it. With the server's process id it says what the
server's threads used in the middle of the run, while all calls were live.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable
from itertools import cycle
from typing import Any, TypeVar
from urllib.parse import urlsplit

from benchmarks.process_cpu import CpuUsed, resident_mb
from benchmarks.twilio_call import SLOTS, TICK_S, TwilioCall, Wheel
from benchmarks.twilio_frames import TwilioScript
from benchmarks.twilio_outcome import CallOutcome, EventCollector, summarise
from streamtrace.demo.callers import synthetic_callers
from streamtrace.values import HOP_STEPS, STEP_MS

HOP_S = HOP_STEPS * STEP_MS / 1000
SETTLE_S = 2.0  # from the last call's first frame to the steady middle
LEAD_S = 1.0  # from connecting to the first frame, and a hundredth of a second more per call
CLOSE_WITHIN_S = 20.0
REFUSED = "HTTP 503"

LookT = TypeVar("LookT")


async def place_calls(
    url: str, calls: int, seconds: float, *, pid: int | None = None, spread_s: float = HOP_S
) -> tuple[dict[str, Any], list[CallOutcome]]:
    """Hold all calls to their end; a summary, and what each gave back."""
    loop = asyncio.get_running_loop()
    address = urlsplit(url)
    host, port = address.hostname or "127.0.0.1", address.port or 80
    voices = [caller.pcm for caller in synthetic_callers()[:calls]]
    scripts = cycle([TwilioScript.of(voice, seconds) for voice in voices])
    lead_s = LEAD_S + calls / 100
    wheel = Wheel(loop.time() + lead_s, round((spread_s + seconds + 1) / TICK_S) + SLOTS)
    placed: list[TwilioCall] = []

    async def connect(number: int) -> None:
        offset_s = number * spread_s / calls
        tick, phase_s = divmod(offset_s, TICK_S)
        call = TwilioCall(next(scripts), int(tick), address.netloc)
        placed.append(call)
        await asyncio.sleep(max(0.0, wheel.begin_s - lead_s + offset_s - loop.time()))
        try:
            await loop.create_connection(lambda: call, host, port)
        except OSError as cause:
            call.outcome.failure = f"cannot connect: {cause.strerror}"
            call.closed.set_result(None)
        wheel.slots[int(phase_s / TICK_S * SLOTS)].append(call)

    async with asyncio.TaskGroup() as group:
        for number in range(calls):
            group.create_task(connect(number))
    collector = EventCollector(url, {call.outcome.external_id: call.outcome for call in placed})
    steady_s = (wheel.begin_s + spread_s + SETTLE_S, wheel.begin_s + seconds - 0.5)
    async with asyncio.TaskGroup() as group:
        cpu = group.create_task(_steady_cpu(pid, steady_s))
        own = group.create_task(_between(steady_s, time.process_time))
        sweeping = group.create_task(collector.sweep(steady_s[1]))
        await wheel.turn()
        sweeping.cancel()
    memory_mb = resident_mb(pid) if pid is not None else None
    await asyncio.wait([call.closed for call in placed], timeout=CLOSE_WITHIN_S)
    for call in placed:
        call.give_up()
    await collector.collect()
    outcomes = [call.outcome for call in placed]
    taken = sum(outcome.failure != REFUSED for outcome in outcomes)
    window_s = steady_s[1] - steady_s[0]
    before, after = own.result()
    summary = {
        "calls": calls,
        "seconds": seconds,
        "spread_s": round(spread_s, 3),
        **summarise(outcomes),
        "generator": {
            "cpu_s": round(time.process_time(), 3),
            "steady_cores": round((after - before) / window_s, 3),
            **_lateness(wheel.late_ms),
        },
        "server": _per_call(cpu.result(), taken, memory_mb),
    }
    return summary, outcomes


async def _steady_cpu(pid: int | None, steady_s: tuple[float, float]) -> CpuUsed | None:
    if pid is None:
        return None
    before, after = await _between(steady_s, lambda: CpuUsed.of(pid))
    return after.since(before)


async def _between(steady_s: tuple[float, float], look: Callable[[], LookT]) -> tuple[LookT, LookT]:
    loop = asyncio.get_running_loop()
    await asyncio.sleep(steady_s[0] - loop.time())
    before = look()
    await asyncio.sleep(steady_s[1] - loop.time())
    return before, look()


def _per_call(used: CpuUsed | None, calls: int, memory_mb: float | None) -> dict[str, float] | None:
    """Milliseconds of CPU for one second of one call."""
    if used is None or not calls:
        return None
    call_seconds = calls * used.at_s
    return {
        "window_s": round(used.at_s, 2),
        "cpu_ms_per_call_s": round(1000 * (used.loop_s + used.others_s) / call_seconds, 3),
        "loop_ms_per_call_s": round(1000 * used.loop_s / call_seconds, 3),
        "others_ms_per_call_s": round(1000 * used.others_s / call_seconds, 3),
        "cores": round((used.loop_s + used.others_s) / used.at_s, 3),
        "resident_mb": round(memory_mb or 0.0, 1),
    }


def _lateness(late_ms: list[float]) -> dict[str, float]:
    """How far behind its own time the generator was: what is more than a few ms is its fault."""
    ordered = sorted(late_ms)
    return {
        "late_ms_p50": round(ordered[len(ordered) // 2], 2),
        "late_ms_p99": round(ordered[len(ordered) * 99 // 100], 2),
        "late_ms_max": round(ordered[-1], 2),
    }


def main() -> None:
    """Run argv."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.twilio_load")
    parser.add_argument("url")
    parser.add_argument("calls", type=int)
    parser.add_argument("seconds", type=float)
    parser.add_argument("--pid", type=int, help="the server's process, to measure its CPU")
    parser.add_argument("--at-once", action="store_true", help="start all calls together")
    parser.add_argument("--each", action="store_true", help="one line for each call, too")
    given = parser.parse_args()
    with _runner() as runner:
        summary, outcomes = runner.run(
            place_calls(
                given.url,
                given.calls,
                given.seconds,
                pid=given.pid,
                spread_s=0.0 if given.at_once else HOP_S,
            )
        )
    if given.each:
        for outcome in outcomes:
            print(json.dumps(outcome.as_json()))
    print(json.dumps(summary))


def _runner() -> asyncio.Runner:
    if sys.platform == "win32":
        return asyncio.Runner()
    import uvloop

    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


if __name__ == "__main__":
    main()
