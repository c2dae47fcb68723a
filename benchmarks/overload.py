"""`streamtrace bench overload`: three times the calls that a server can take.

Twice: as it is shipped, when it refuses what it cannot take, and with admission switched off, when
it has to drop audio to stay near the present. In both, half of its capacity goes on before, during
and after, and tells how long the crowd is felt.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.crowd import Crowd, degraded_share, per_second_p99, recovery_s
from benchmarks.event_loop import need_linux, run as run_loop
from benchmarks.ladder import RUNGS, climb
from benchmarks.report import Measured, Report, as_markdown, load_average
from benchmarks.server_load import (
    EVERYBODY,
    TWILIO_LOAD,
    TwilioLoad,
    hold_twilio_calls,
    need_module,
    server_arguments,
)
from streamtrace.demo.local_server import local_server
from streamtrace.encoder.bundle import load_bundle

TIMES = 3  # the capacity
FIND_S = 15.0
SHIPPED: Mapping[str, object] = {"ended_calls_kept": 4096}
MODES = {"": SHIPPED, "_unadmitted": EVERYBODY}


def run(
    *,
    as_json: bool,
    calls: int | None = None,
    seconds: float = 20.0,
    model: Path | None = None,
) -> int:
    """Print the outcome; 1 if a call that was taken came back without its final.

    `calls` is the capacity, which is found first where it is not given; the crowd stays `seconds`.
    """
    need_linux()
    need_module(TWILIO_LOAD)
    bundle = load_bundle(model)
    settings: dict[str, Any] = {
        "seconds": seconds,
        "offered": f"{TIMES} times the capacity, half of it before and after as well",
        "model": bundle.ref.id,
        "load average before": load_average(),
    }
    results, ratios, problems = run_loop(_measure(calls, seconds, model, settings))
    found = Report("overload", settings, results, ratios).as_json()
    print(json.dumps(found, indent=2) if as_json else as_markdown(found))
    for problem in problems:
        print(f"bench overload: {problem}", file=sys.stderr)
    return 1 if problems else 0


async def _measure(
    calls: int | None, seconds: float, model: Path | None, settings: dict[str, Any]
) -> tuple[dict[str, Measured], dict[str, float | Measured], list[str]]:
    capacity = calls or await _find(model)
    settings["capacity"] = capacity
    _say(f"{capacity} calls, the capacity")
    async with local_server(*server_arguments(model), settings=EVERYBODY) as server:
        await hold_twilio_calls(server, 2, 4.0)
        normal = await hold_twilio_calls(server, capacity, seconds)
    results = {"decision_latency_p99_ms_at_capacity": Measured(_some(normal.p99_ms), "ms")}
    ratios: dict[str, float | Measured] = {}
    problems: list[str] = []
    for mode, shipped in MODES.items():
        _say(f"{TIMES * capacity} calls{', everybody taken' if mode else ''}")
        steady, crowd, degraded, failed = await _overload(capacity, seconds, model, shipped)
        found, series = summarise(steady, crowd)
        found["degraded_ratio"] = Measured(_some(degraded), "of decisions")
        results |= {f"{key}{mode}": measured for key, measured in found.items()}
        settings[f"p99_ms_by_second{mode}"] = series
        problems += failed
        at_most = results[f"decision_latency_p99_ms{mode}"]
        if normal.p99_ms and at_most.values:
            ratios[f"p99_overload_over_capacity{mode}"] = Measured(
                [ms / normal.p99_ms for ms in at_most.values], "x"
            )
    return results, ratios, problems


async def _overload(
    capacity: int, seconds: float, model: Path | None, settings: Mapping[str, object]
) -> tuple[Crowd, Crowd, float | None, list[str]]:
    """Half of the capacity from before until after, and all the rest in between."""
    base = max(1, capacity // 2)
    rest = TIMES * capacity - base
    before_s = seconds / 2 + 2
    whole_s = before_s + 3 * seconds + rest / 100
    async with local_server(*server_arguments(model), settings=settings) as server:
        await hold_twilio_calls(server, 2, 4.0)
        async with asyncio.TaskGroup() as group:
            steady = group.create_task(hold_twilio_calls(server, base, whole_s, each=True))
            await asyncio.sleep(before_s)
            crowd = group.create_task(hold_twilio_calls(server, rest, seconds, each=True))
        loads = steady.result(), crowd.result()
        degraded = await degraded_share(server.url, [*loads[0].calls, *loads[1].calls])
    steady_crowd, passing = Crowd.of(loads[0], whole_s), Crowd.of(loads[1], seconds)
    return steady_crowd, passing, degraded, _problems(*loads)


def summarise(steady: Crowd, crowd: Crowd) -> tuple[dict[str, Measured], list[float | None]]:
    """The keys of one mode; and the p99 of every second, half of the capacity included."""
    begin_s, series = per_second_p99([*steady.decisions, *crowd.decisions])
    during = [
        ms
        for number, ms in enumerate(series)
        if ms is not None and crowd.begin_s <= begin_s + number < crowd.end_s
    ]
    dropped_ms = steady.dropped_ms + crowd.dropped_ms
    sent_ms = steady.sent_between(crowd.begin_s, crowd.end_s) + crowd.sent_ms
    found = {
        "decision_latency_p99_ms": Measured(during, "ms"),
        "audio_dropped_ratio": Measured([dropped_ms / sent_ms if sent_ms else 0.0], "of audio"),
        "recovery_s": Measured(_some(recovery_s(steady, crowd.begin_s, crowd.end_s)), "s"),
        "calls_taken": Measured([steady.taken + crowd.taken], "calls"),
        "calls_refused": Measured([steady.refused + crowd.refused], "calls"),
    }
    return found, series


def _problems(*loads: TwilioLoad) -> list[str]:
    found: list[str] = []
    for load in loads:
        failed, missing = load.summary["failed"], load.summary["without_final"]
        if failed or missing > 0:
            found.append(f"failed: {failed or 'none'}, without a final: {missing}")
    return found


async def _find(model: Path | None) -> int:
    ladder = await climb(RUNGS, FIND_S, model, confirm=False)
    return ladder.best.calls if ladder.best else RUNGS[0]


def _some(value: float | None) -> list[float]:
    return [] if value is None else [value]


def _say(text: str) -> None:
    print(f"bench overload: {text} …", file=sys.stderr)
