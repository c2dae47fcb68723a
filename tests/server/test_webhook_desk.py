"""All webhooks of a server that keeps nothing: what does not fit into memory is counted."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from streamtrace.configuration import load_settings
from streamtrace.engine import SystemClock
from streamtrace.server.webhook_desk import WebhookDesk
from streamtrace.telemetry import Metrics
from tests.sinks.events import ended
from tests.store.databases import wire
from tests.webhook_receiver import SECRET

# Loopback is not public: nobody is ever told anything, and no connection is made.
SIEM: dict[str, Any] = {"url": "https://127.0.0.1:9443/", "secret": SECRET, "events": ["call.*"]}


async def test_in_a_flood_all_that_is_lost_is_counted() -> None:
    settings = load_settings(database="memory", webhooks={"siem": SIEM})
    desk = WebhookDesk(settings, None, Metrics(version="1", model="m"), SystemClock())
    await desk.begin()
    running = asyncio.create_task(desk.run())
    for number in range(10_000):
        desk.offer(wire(ended(number)), None)
        if number % 100 == 0:  # others have the loop as often
            for _ in range(10):
                await asyncio.sleep(0)
    worker = desk.workers["siem"]
    assert worker.health.delivered == 0
    assert worker.health.dropped + await worker.pending() == 10_000
    assert await worker.pending() <= 5_000
    assert desk.failing()["siem"].startswith("down: 127.0.0.1 is not a public address")
    running.cancel()
    await asyncio.wait([running])


async def test_who_refuses_a_type_is_named() -> None:
    settings = load_settings(database="memory", webhooks={"siem": SIEM})
    desk = WebhookDesk(settings, None, Metrics(version="1", model="m"), SystemClock())
    await desk.begin()
    worker = desk.workers["siem"]
    assert desk.failing() == {}
    refuses = ("call.score.v1",)
    worker.health = replace(worker.health, refuses=refuses, last_failure="HTTP 500")
    assert desk.failing() == {"siem": "refuses call.score.v1: HTTP 500"}
