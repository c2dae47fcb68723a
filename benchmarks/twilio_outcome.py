"""What calls gave back: their events, fetched when it disturbs nobody, and a summary of all."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import httpx
import numpy as np

from streamtrace.clients.endpoints import endpoint, http_client

PAGE = 500
# A server keeps a call's newest few hundred events: longer calls are fetched from in between.
SWEEP_S = 60.0
SIDE_BY_SIDE = 4


@dataclass(slots=True)
class CallOutcome:
    """One call, from outside."""

    external_id: str
    call_id: str | None = None
    failure: str | None = None  # HTTP 503 is a refusal
    close_code: int | None = None
    close_reason: str = ""
    frames_sent: int = 0
    latency_ms: list[float] = field(default_factory=list[float])  # of every decision
    decided_s: list[float] = field(default_factory=list[float])  # when, by the server's wall clock
    final_latency_ms: float | None = None
    is_final: bool = False
    spoof_probability: float | None = None  # of the final
    gap_ms: dict[str, int] = field(default_factory=dict[str, int])  # by cause
    missed_events: int = 0  # the log no longer held them
    cursor: str = "0"

    def take(self, event: Mapping[str, Any]) -> None:
        """One event."""
        self.cursor, data = event["sequence"], event["data"]
        match event["type"]:
            case "call.score.v1" if data["is_final"]:
                self.is_final = True
                self.spoof_probability = data["spoof_probability"]
                latency = data["latency_ms"]
                self.final_latency_ms = latency["total"] if latency else None
            case "call.score.v1" if data.get("latency_ms"):
                self.latency_ms.append(data["latency_ms"]["total"])
                self.decided_s.append(datetime.fromisoformat(event["time"]).timestamp())
            case "call.gap.v1":
                cause = data["cause"]
                missing_ms = data["end_ms"] - data["start_ms"]
                self.gap_ms[cause] = self.gap_ms.get(cause, 0) + missing_ms
            case "stream.gap.v1":
                self.missed_events += int(data["to"]) - int(data["from"]) + 1
            case _:
                pass

    def as_json(self) -> dict[str, Any]:
        """Everything but what only the collector needs."""
        return {key: value for key, value in asdict(self).items() if key != "cursor"}


class EventCollector:
    """Reads the calls' events page by page, each event once."""

    def __init__(self, url: str, outcomes: Mapping[str, CallOutcome]) -> None:
        self._url = url
        self._outcomes = outcomes

    async def sweep(self, until_s: float) -> None:
        """While long calls last, fetch before the server forgets; calls of a minute are let be."""
        loop = asyncio.get_running_loop()
        while loop.time() + SWEEP_S < until_s:
            await asyncio.sleep(SWEEP_S)
            await self._fetch_all(pause_s=SWEEP_S / 4 / max(1, len(self._outcomes)))

    async def collect(self) -> None:
        """All that is left, once the calls have ended."""
        await self._fetch_all(pause_s=0.0)

    async def _fetch_all(self, *, pause_s: float) -> None:
        async with http_client(self._url) as http:
            await self._find(http)
            known = [outcome for outcome in self._outcomes.values() if outcome.call_id]
            if pause_s:
                for outcome in known:
                    await self._fetch(http, outcome)
                    await asyncio.sleep(pause_s)
                return
            waiting = iter(known)

            async def work() -> None:
                for outcome in waiting:
                    await self._fetch(http, outcome)

            async with asyncio.TaskGroup() as group:
                for _ in range(SIDE_BY_SIDE):
                    group.create_task(work())

    async def _find(self, http: httpx.AsyncClient) -> None:
        after: str | None = None
        while True:
            answer = await http.get(endpoint(self._url, "/v1/calls", limit=PAGE, after=after))
            answer.raise_for_status()
            page = answer.json()
            for call in page["calls"]:
                outcome = self._outcomes.get(call["external_id"] or "")
                if outcome is not None:
                    outcome.call_id = call["id"]
            after = page["next"]
            if after is None:
                return

    async def _fetch(self, http: httpx.AsyncClient, outcome: CallOutcome) -> None:
        while True:
            path = f"/v1/calls/{outcome.call_id}/events"
            answer = await http.get(endpoint(self._url, path, after=outcome.cursor, limit=PAGE))
            if answer.status_code == 404:
                outcome.failure = "its events are gone: have the server keep more ended calls"
                return
            answer.raise_for_status()
            page = answer.json()
            for event in page["events"]:
                outcome.take(event)
            if page["next"] is None:
                return


def summarise(outcomes: Sequence[CallOutcome]) -> dict[str, Any]:
    """All calls as one object."""
    failures = Counter(outcome.failure for outcome in outcomes if outcome.failure)
    refused = failures.pop("HTTP 503", 0)
    latency = [ms for outcome in outcomes for ms in outcome.latency_ms]
    finals = [o.final_latency_ms for o in outcomes if o.final_latency_ms is not None]
    gaps: Counter[str] = Counter()
    for outcome in outcomes:
        gaps.update(outcome.gap_ms)
    return {
        "refused": refused,
        "failed": dict(failures),
        "closed": dict(Counter(f"{o.close_code} {o.close_reason}" for o in outcomes)),
        "without_final": sum(not o.is_final for o in outcomes) - refused,
        "decisions": len(latency),
        "latency_ms": _percentiles(latency),
        "final_latency_ms": _percentiles(finals),
        "latency_p99_ms_by_second": _by_second(outcomes),
        "gap_ms": {cause: gaps[cause] for cause in ("lost", "dropped")},
        "missed_events": sum(o.missed_events for o in outcomes),
        "frames_sent": sum(o.frames_sent for o in outcomes),
    }


def _percentiles(values: Sequence[float]) -> dict[str, float] | None:
    if not values:
        return None
    p50, p95, p99 = np.percentile(values, (50, 95, 99)).tolist()
    named = {"p50": p50, "p95": p95, "p99": p99, "max": max(values)}
    return {name: round(value, 2) for name, value in named.items()}


def _by_second(outcomes: Sequence[CallOutcome]) -> list[float | None]:
    """The p99 of each second of the run, from the first decision on; None where nothing came."""
    buckets: dict[int, list[float]] = defaultdict(list)
    for outcome in outcomes:
        for at_s, ms in zip(outcome.decided_s, outcome.latency_ms, strict=True):
            buckets[int(at_s)].append(ms)
    if not buckets:
        return []
    return [
        round(float(np.percentile(buckets[second], 99)), 2) if second in buckets else None
        for second in range(min(buckets), max(buckets) + 1)
    ]
