"""Calls that came together, as their generator tells of them; and when a crowd is felt no more."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np

from benchmarks.server_load import TwilioLoad
from streamtrace.clients.endpoints import endpoint, http_client
from streamtrace.values import HOP_STEPS, STEP_MS

HOP_S = HOP_STEPS * STEP_MS / 1000
REFUSED = "HTTP 503"
SETTLED_S = 3  # seconds in a row that must be as they were
AS_BEFORE = 1.5  # times the p99 before, at most
LEAST_MS = 20.0  # a p99 under this is as good as any
LOOKED_AT = 12  # calls whose events are read one by one


@dataclass(frozen=True, slots=True)
class Crowd:
    """What became of calls that were offered together; times are the server's wall clock."""

    offered: int
    refused: int
    begin_s: float  # when the first of them began to speak
    end_s: float  # when the last of them hung up
    decisions: tuple[tuple[float, float], ...]  # when, and its latency in ms
    dropped_ms: float
    sent_ms: float

    @classmethod
    def of(cls, load: TwilioLoad, seconds: float) -> Crowd:
        """From a run with all that each call gave back."""
        calls = load.calls
        # A call's first decision is about its first hop: that tells when it began.
        begins = [
            call["decided_s"][0] - call["latency_ms"][0] / 1000 - HOP_S
            for call in calls
            if call["latency_ms"]
        ]
        return cls(
            offered=len(calls),
            refused=sum(call["failure"] == REFUSED for call in calls),
            begin_s=min(begins, default=0.0),
            end_s=max(begins, default=0.0) + seconds,
            decisions=tuple(
                pair
                for call in calls
                for pair in zip(call["decided_s"], call["latency_ms"], strict=True)
            ),
            dropped_ms=load.dropped_ms,
            sent_ms=load.sent_ms,
        )

    @property
    def taken(self) -> int:
        """How many the server took."""
        return self.offered - self.refused

    def sent_between(self, begin_s: float, end_s: float) -> float:
        """Audio in ms that was sent meanwhile; they spoke all the time."""
        share = (min(end_s, self.end_s) - max(begin_s, self.begin_s)) / (self.end_s - self.begin_s)
        return self.sent_ms * min(1.0, max(0.0, share))


def per_second_p99(decisions: Sequence[tuple[float, float]]) -> tuple[int, list[float | None]]:
    """The first second, and the p99 of every one from it on; None where nothing was decided."""
    buckets: dict[int, list[float]] = defaultdict(list)
    for at_s, latency_ms in decisions:
        buckets[int(at_s)].append(latency_ms)
    if not buckets:
        return 0, []
    first, last = min(buckets), max(buckets)
    p99 = {at: round(float(np.percentile(values, 99)), 1) for at, values in buckets.items()}
    return first, [p99.get(at) for at in range(first, last + 1)]


def recovery_s(steady: Crowd, came_s: float, gone_s: float) -> float | None:
    """From when the crowd had gone until those who stayed are served as before it came.

    That is for three seconds in a row; None if it never was.
    """
    first, series = per_second_p99(steady.decisions)
    before = [ms for at, ms in enumerate(series, first) if ms is not None and at + 1 <= came_s]
    if not before:
        return None
    limit = max(LEAST_MS, AS_BEFORE * float(np.median(before)))
    good = 0
    for at, ms in enumerate(series, first):
        if at < int(gone_s):
            continue
        good = good + 1 if ms is not None and ms <= limit else 0
        if good == SETTLED_S:
            return max(0.0, at - SETTLED_S + 1 - gone_s)
    return None


async def degraded_share(url: str, calls: Sequence[Mapping[str, Any]]) -> float | None:
    """Of the decisions of some of the calls, those that say that their segment lacks audio."""
    known = [call["call_id"] for call in calls if call["call_id"]]
    told: list[bool] = []
    async with http_client(url) as http:
        for call_id in known[:: max(1, len(known) // LOOKED_AT)][:LOOKED_AT]:
            told += [
                event["data"]["quality"]["degraded"]
                for event in await _events(http, url, call_id)
                if event["type"] == "call.score.v1"
            ]
    return sum(told) / len(told) if told else None


async def _events(http: httpx.AsyncClient, url: str, call_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after = "0"
    while True:
        path = f"/v1/calls/{call_id}/events"
        answer = await http.get(endpoint(url, path, after=after, limit=500))
        answer.raise_for_status()
        page = answer.json()
        found += page["events"]
        if page["next"] is None:
            return found
        after = page["next"]
