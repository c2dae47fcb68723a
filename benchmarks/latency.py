"""`streamtrace bench latency`: from the last sample of a step received to its event sent.

The server and the load generator are processes of their own; each round places all calls anew
against the same server, paced in real time. The latency is the server's own measure, as every
`call.score.v1` carries it.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.load import PROTOCOLS
from benchmarks.report import Measured, Report, as_markdown, load_average
from benchmarks.server_load import json_lines_of, server_arguments
from streamtrace.demo.local_server import local_server
from streamtrace.encoder.bundle import load_bundle

ROUNDS = 3
LOAD = "benchmarks.load"
_PERCENTILES = (50, 95, 99)


def run(
    *,
    as_json: bool,
    calls: int = 20,
    seconds: float = 30.0,
    model: Path | None = None,
    rounds: int = ROUNDS,
) -> int:
    """Print the outcome; 1 if a call came back without a final decision."""
    bundle = load_bundle(model)
    busy = load_average()
    held = asyncio.run(_hold_rounds(rounds, calls, seconds, model))
    found = summarise(
        held,
        {
            "calls": calls,
            "seconds": seconds,
            "rounds": rounds,
            "protocols": "+".join(PROTOCOLS),
            "model": bundle.ref.id,
            "load average before": busy,
        },
    ).as_json()
    print(json.dumps(found, indent=2) if as_json else as_markdown(found))
    failed = [call for one in held for call in one if not call["is_final"]]
    for call in failed:
        print(f"bench latency: {call['protocol']}: {call['failure']}", file=sys.stderr)
    return 1 if failed else 0


def summarise(rounds: list[list[dict[str, Any]]], settings: dict[str, Any]) -> Report:
    """Percentiles over all decisions of a round, then median and range over the rounds.

    `first_verdict_ms` is call time, over all calls that came to a verdict.
    """
    found: dict[str, Measured] = {}
    for percentile in _PERCENTILES:
        values: list[float] = []
        for held in rounds:
            latencies = [ms for call in held for ms in call["latency_ms"]]
            if latencies:
                values.append(float(np.percentile(latencies, percentile)))
        found[f"decision_latency_p{percentile}_ms"] = Measured(values, "ms")
    firsts = [call["first_verdict_ms"] for held in rounds for call in held]
    found["first_verdict_ms"] = Measured([ms for ms in firsts if ms is not None], "ms of call")
    return Report("latency", settings, found)


async def _hold_rounds(
    rounds: int, calls: int, seconds: float, model: Path | None
) -> list[list[dict[str, Any]]]:
    async with local_server(*server_arguments(model)) as server:
        await json_lines_of(LOAD, server.url, str(min(calls, 2)), "1")  # warms the server up
        held: list[list[dict[str, Any]]] = []
        for number in range(rounds):
            print(f"round {number + 1} of {rounds}: {calls} calls …", file=sys.stderr)
            held.append(await json_lines_of(LOAD, server.url, str(calls), str(seconds)))
        return held
