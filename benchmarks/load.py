"""The load generator, a process of its own: paced calls all at once, and what came back.

`python -m benchmarks.load URL CALLS SECONDS` prints one JSON object per call.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict, dataclass, field
from itertools import cycle

import numpy as np

from streamtrace.clients.follow import follow_call
from streamtrace.clients.place import new_external_id, place_call
from streamtrace.demo.callers import synthetic_callers
from streamtrace.errors import CallFailed
from streamtrace.values import HOP_STEPS, SAMPLE_RATE_HZ, STEP_MS, Float32s

PROTOCOLS = ("twilio", "pcm")
FINAL_WITHIN_S = 15.0


@dataclass(slots=True)
class HeldCall:
    """What one call gave back."""

    protocol: str
    latency_ms: list[float] = field(default_factory=list[float])  # of every decision, total
    first_verdict_ms: float | None = None
    is_final: bool = False
    failure: str | None = None


async def hold_calls(url: str, calls: int, seconds: float) -> list[HeldCall]:
    """Place all calls; their starts are spread over one hop, as those of strangers are."""
    voices = cycle([caller.pcm for caller in synthetic_callers()])
    held = [HeldCall(PROTOCOLS[number % len(PROTOCOLS)]) for number in range(calls)]
    spread_s = HOP_STEPS * STEP_MS / 1000 / calls
    async with asyncio.TaskGroup() as group:
        for number, call in enumerate(held):
            pcm = np.resize(next(voices), round(seconds * SAMPLE_RATE_HZ))  # repeats to fill
            group.create_task(_hold(url, call, pcm, number * spread_s))
    return held


async def _hold(url: str, call: HeldCall, pcm: Float32s, wait_s: float) -> None:
    await asyncio.sleep(wait_s)
    external_id = new_external_id()
    following = asyncio.create_task(_follow(url, external_id, call))
    try:
        await place_call(url, pcm, protocol=call.protocol, external_id=external_id)
        async with asyncio.timeout(FINAL_WITHIN_S):
            await following
    except (CallFailed, TimeoutError) as failure:
        call.failure = str(failure) or "no final decision"
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def _follow(url: str, external_id: str, call: HeldCall) -> None:
    async for event in follow_call(url, external_id):
        if event["type"] != "call.score.v1":
            continue
        data = event["data"]
        if data["is_final"]:
            call.is_final = True
            call.first_verdict_ms = data["first_verdict_ms"]
        elif latency := data.get("latency_ms"):
            call.latency_ms.append(latency["total"])


def main() -> None:
    """Run argv."""
    url, calls, seconds = sys.argv[1:]
    for call in asyncio.run(hold_calls(url, int(calls), float(seconds))):
        print(json.dumps(asdict(call)))


if __name__ == "__main__":
    main()
