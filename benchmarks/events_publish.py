"""What it costs to publish an event, kept and not, and how much later it is seen for being kept.

`python -m benchmarks.events_publish [--seconds 8] [--rounds 3] [--json]`: decisions of 200 live
calls, 420 a second in the bunches that a batch of the encoder makes, into `LiveCall.publish` of a
server that keeps them in SQLite, of one that does not, and of none, by turns. CPU is of all its
threads.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.event_loop import run as run_loop
from benchmarks.report import Measured, Report, as_markdown, load_average, ratio_of
from streamtrace.configuration import load_settings
from streamtrace.encoder.bundle import load_bundle
from streamtrace.engine import SystemClock
from streamtrace.events.events import CallMedia, CallScore, CallStarted, Event
from streamtrace.events.wire import cloud_event
from streamtrace.server.alert_desk import AlertDesk
from streamtrace.server.exhibit_desk import ExhibitDesk
from streamtrace.server.live_call import LiveCall
from streamtrace.server.registry import Registry
from streamtrace.session import CallSession
from streamtrace.sinks.channel import EventChannel
from streamtrace.store.journal import Journal
from streamtrace.store.store import open_store
from streamtrace.telemetry import Metrics
from streamtrace.values import EndReason, Leg

CALLS = 200
EVENTS_A_S = 420
BUNCH = 8  # decisions of one batch of the encoder


def decision() -> CallScore:
    """One as the packaged model makes it."""
    session = CallSession(load_bundle(None).trace_model)
    session.open_leg(Leg.CALLER, "PCMU", 8_000)
    score = next(e for e in session.end(EndReason.HUNG_UP) if isinstance(e, CallScore))
    return dataclasses.replace(score, is_final=False)


class Publisher:
    """Calls that are live, and say what they are given."""

    def __init__(self, journal: Journal | None) -> None:
        metrics = Metrics(version="0", model="none")
        clock, settings = SystemClock(), load_settings(database="memory")
        desk = AlertDesk(settings, None, None, clock)
        exhibits = ExhibitDesk(settings, Registry(0), desk, metrics, clock)
        self._sequences = [0] * CALLS
        self._calls = [
            LiveCall(
                f"call_{number:026d}",
                external_id=None,
                line=None,
                protocol="twilio",
                at="2026-01-02T00:00:00.000Z",
                channel=EventChannel(most_events=400, most_behind=256),
                metrics=metrics,
                journal=journal,
                desk=desk,
                exhibits=exhibits.of_call(),
                on_leg=lambda: None,
                on_change=lambda _call: None,
            )
            for number in range(CALLS)
        ]
        for number in range(CALLS):
            self.say(number, CallStarted(None, None, "twilio"))
            self.say(number, CallMedia(Leg.CALLER, "PCMU", 8_000))

    def say(self, number: int, event: Event) -> None:
        """As the engine does."""
        self._sequences[number] += 1
        call, sequence = self._calls[number], self._sequences[number]
        stamped = cloud_event(
            event,
            call_id=call.id,
            external_id=None,
            sequence=sequence,
            time=datetime.now(UTC),
            event_id=f"{call.id}-{sequence}",
        )
        call.hear(event)
        call.publish(stamped)


async def round_of(publisher: Publisher | None, score: CallScore, seconds: float) -> float:
    """CPU seconds of all threads."""
    loop = asyncio.get_running_loop()
    began_s, cpu_s = loop.time(), time.process_time()
    for bunch in range(round(seconds * EVENTS_A_S / BUNCH)):
        await asyncio.sleep(max(0.0, began_s + bunch * BUNCH / EVENTS_A_S - loop.time()))
        if publisher is not None:
            for one in range(BUNCH):
                publisher.say((bunch * BUNCH + one) % CALLS, score)
    return time.process_time() - cpu_s


async def measure(seconds: float, rounds: int) -> Report:
    """In turns, so that what disturbs one disturbs the others."""
    load, score = load_average(), decision()
    events = round(seconds * EVENTS_A_S / BUNCH) * BUNCH
    costs: dict[str, list[float]] = {"memory": [], "sqlite": []}
    delays: list[Sequence[float]] = []
    for _ in range(rounds):
        pacing_s = await round_of(None, score, seconds)
        memory_s = await round_of(Publisher(None), score, seconds)
        costs["memory"].append(1e6 * (memory_s - pacing_s) / events)
        with tempfile.TemporaryDirectory(prefix="streamtrace-") as folder:
            async with open_store(f"sqlite:///{Path(folder)}/events.db") as store:
                waited: list[float] = []
                publisher = Publisher(store.journal)
                await store.journal.flushed()
                store.journal.watch.shown = lambda s, to=waited: to.append(1000 * s)
                keeping = asyncio.create_task(store.keep_checkpointed())
                sqlite_s = await round_of(publisher, score, seconds)
                await store.journal.flushed()
                keeping.cancel()
        costs["sqlite"].append(1e6 * (sqlite_s - pacing_s) / events)
        delays.append(statistics.quantiles(waited, n=1000, method="inclusive"))
    kept, unkept = Measured(costs["sqlite"], "µs"), Measured(costs["memory"], "µs")
    return Report(
        "events_publish",
        {
            "calls": CALLS,
            "events a second": EVENTS_A_S,
            "seconds": seconds,
            "rounds": rounds,
            "load average before": load,
        },
        {
            "publish_cpu_us_memory": unkept,
            "publish_cpu_us_sqlite": kept,
            "delay_p50_ms": Measured([one[499] for one in delays], "ms"),
            "delay_p99_ms": Measured([one[989] for one in delays], "ms"),
            "delay_p999_ms": Measured([one[998] for one in delays], "ms"),
        },
        {"sqlite_over_memory": ratio_of(kept, unkept)},
    )


def main() -> None:
    """Run argv."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.events_publish")
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    told = run_loop(measure(given.seconds, given.rounds)).as_json()
    print(json.dumps(told, indent=2) if given.json else as_markdown(told))


if __name__ == "__main__":
    main()
