"""`streamtrace bench capacity`: what a live call costs, and how many of them this machine holds.

The engine's own cost is taken in this process, the server's from outside with paced calls from
another. Everything is CPU time, except how many calls keep up, which is a matter of the clock.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from benchmarks.engine_cost import EngineCost, measure_engine
from benchmarks.event_loop import need_linux, run as run_loop
from benchmarks.ladder import HOP_MS, RUNGS, Ladder, climb
from benchmarks.report import Measured, Report, as_markdown, load_average
from benchmarks.server_cost import measure_ingest, measure_memory, measure_protocols
from streamtrace.encoder.bundle import Bundle, load_bundle
from streamtrace.encoder.threads import usable_cores
from streamtrace.errors import StreamTraceError

ENGINE_LEGS = (20, 100, 200)
SERVER_CALLS = 50
TWILIO_CALLS = 200
MEMORY_CALLS = 100
MEMORY_S = 75.0  # a call shorter than a minute has hardly any events yet
QUICK_S = 15.0  # runs shorter than this are a look, not a measurement


def run(
    *,
    as_json: bool,
    calls: int | None = None,
    seconds: float = 25.0,
    model: Path | None = None,
    with_peers: bool = True,
) -> int:
    """Print the outcome; 1 if a part of it could not be measured, 2 if nothing can be.

    `calls` is the most that are ever placed at once; `seconds` how long each number of them lasts.
    """
    need_linux()
    bundle = load_bundle(model)
    settings: dict[str, Any] = {
        "calls": calls or max(RUNGS),
        "seconds": seconds,
        "cores": usable_cores(),
        "model": bundle.ref.id,
        "counted": "CPU of the encoder's threads and of the loop less the pacing; of the server's"
        " process",
        "load average before": load_average(),
    }
    measuring = _measure(bundle, calls, seconds, model, settings, with_peers=with_peers)
    engine, results, missing = run_loop(measuring)
    settings["load average after"] = load_average()
    found = Report("capacity", settings, engine.results() | results, engine.ratios()).as_json()
    print(json.dumps(found, indent=2) if as_json else as_markdown(found))
    for problem in missing:
        print(f"bench capacity: {problem}", file=sys.stderr)
    return 1 if missing else 0


async def _measure(
    bundle: Bundle,
    most: int | None,
    seconds: float,
    model: Path | None,
    settings: dict[str, Any],
    *,
    with_peers: bool = True,
) -> tuple[EngineCost, dict[str, Measured], list[str]]:
    """Part by part; a part that the checkout lacks leaves its keys empty."""
    top, is_quick = most or max(RUNGS), seconds < QUICK_S
    legs = sorted({min(count, top) for count in ENGINE_LEGS})
    engine = await measure_engine(
        bundle,
        legs,
        seconds=min(seconds, 5.0),
        repetitions=2 if is_quick else 5,
        with_peers=with_peers,
    )
    settings["engine legs"] = "+".join(map(str, legs))
    results: dict[str, Measured] = {}
    missing: list[str] = []
    repetitions = 1 if is_quick else 3
    held, twilio = min(SERVER_CALLS, top), min(TWILIO_CALLS, top)
    memory_s = seconds if is_quick else MEMORY_S
    parts: dict[str, Callable[[], Awaitable[dict[str, Measured]]]] = {
        "server_cpu_ms_per_call_s_twilio": lambda: measure_protocols(
            held, twilio, seconds, model, repetitions=repetitions
        ),
        "ingest_cpu_ms_per_call_s": lambda: measure_ingest(
            twilio, seconds, model, repetitions=repetitions
        ),
        "rss_bytes_per_call": lambda: measure_memory(min(MEMORY_CALLS, top), memory_s, model),
        "concurrent_calls": lambda: _climb(top, seconds, model, settings, confirm=not is_quick),
    }
    for key, measure in parts.items():
        try:
            results |= await measure()
        except StreamTraceError as problem:
            missing.append(f"{key}: {problem}")
            results[key] = Measured([], "-")
    return engine, results, missing


async def _climb(
    top: int, seconds: float, model: Path | None, settings: dict[str, Any], *, confirm: bool
) -> dict[str, Measured]:
    rungs = [rung for rung in RUNGS if rung < top] + [top]
    ladder = await climb(rungs, seconds, model, confirm=confirm)
    settings["curve"] = [rung.as_json() for rung in ladder.rungs]
    settings["concurrent calls"] = f"p99 under {HOP_MS} ms, no audio dropped, generator included"
    return concurrent_calls(ladder)


def concurrent_calls(ladder: Ladder) -> dict[str, Measured]:
    """The best rung, and how it was there each time that it was tried."""
    if ladder.best is None:
        return {"concurrent_calls": Measured([0], "calls")}
    same = [rung for rung in ladder.rungs if rung.calls == ladder.best.calls]
    return {
        "concurrent_calls": Measured([ladder.best.calls], "calls"),
        "decision_latency_p50_ms_at_most": Measured([rung.p50_ms or 0.0 for rung in same], "ms"),
        "decision_latency_p99_ms_at_most": Measured([rung.p99_ms or 0.0 for rung in same], "ms"),
    }
