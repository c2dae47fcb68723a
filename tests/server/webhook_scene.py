"""A webhook's worker on an outbox in memory, in virtual time, and what a test has it answered."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from structlog.testing import capture_logs

from streamtrace.errors import StoreFailed
from streamtrace.events.wire import CloudEvent
from streamtrace.server.webhook_worker import WebhookWorker
from streamtrace.sinks.webhook import Post
from streamtrace.webhooks.answer import Kind, Outcome, unanswered
from streamtrace.webhooks.endpoint import Endpoint
from streamtrace.webhooks.health import Health, Parked
from streamtrace.webhooks.outbox import MemoryOutbox
from streamtrace.webhooks.schedule import HOUR_S
from tests.sinks.events import ended
from tests.store.databases import wire
from tests.virtual_time import run_virtually

ENDPOINT = Endpoint("siem", "https://siem.example", (b"",), types=("call.ended.v1",))
MIXED = replace(ENDPOINT, types=("call.score.v1", "call.ended.v1"))
BEGAN = datetime(2026, 1, 2, tzinfo=UTC)
TAKEN = Outcome(Kind.DELIVERED, "HTTP 204", 204)
DOWN = unanswered("no connection")
REFUSED = Outcome(Kind.FAILED, "HTTP 422", 422)


class LoopClock:
    """As many seconds as the loop has waited."""

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def utc(self) -> datetime:
        return BEGAN + timedelta(seconds=self.now())


class Line:
    """Stands for the receiver: every attempt with its time, answered by what a test decides."""

    def __init__(self, answer: Callable[[float, int], Outcome]) -> None:
        self.attempts: list[tuple[float, int]] = []
        self.turns: dict[int, list[int]] = {}
        self.took_s = 0.0
        self.at_once = self.most_at_once = 0
        self._answer = answer

    async def __call__(
        self, endpoint: Endpoint, message_id: str, body: bytes, turn: int
    ) -> Outcome:
        number = int(json.loads(body)["sequence"])
        now_s = asyncio.get_running_loop().time()
        self.turns.setdefault(number, []).append(turn)
        self.attempts.append((now_s, number))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(self.took_s)
        self.at_once -= 1
        return self._answer(now_s, number)

    def numbers(self) -> list[int]:
        return [number for _, number in self.attempts]


class Scene:
    """A worker on an outbox in memory."""

    def __init__(
        self, answer: Callable[[float, int], Outcome], outbox: MemoryOutbox | None = None
    ) -> None:
        self.outbox = outbox or MemoryOutbox()
        self.line = Line(answer)
        self.told: list[tuple[str, int]] = []
        self._number = 0

    async def begin(self, post: Post | None = None, endpoint: Endpoint = ENDPOINT) -> None:
        account = (await self.outbox.begin([endpoint]))[endpoint.name]
        self.worker = WebhookWorker(
            endpoint,
            account,
            self.outbox,
            post or self.line,
            LoopClock(),
            lambda _, what, events: self.told.append((what, events)),
            dice=lambda: 0.0,
            look_s=HOUR_S,
        )

    def say(self, events: int = 1, kind: Callable[[int], CloudEvent] = ended) -> int:
        for _ in range(events):
            self._number += 1
            self.outbox.put(wire(kind(self._number)), None)
        self.worker.wake()
        return self._number


class Disk(MemoryOutbox):
    """What a kill would leave: rows of what was kept, while some writes fail."""

    failing = False

    def __init__(self) -> None:
        super().__init__()
        self.cursor = 0
        self.rows: dict[int, Parked] = {}

    async def keep(
        self, endpoint: Endpoint, health: Health, parked: Sequence[Parked], gone: Sequence[int]
    ) -> None:
        if self.failing:
            raise StoreFailed("disk full")
        await super().keep(endpoint, health, parked, gone)
        self.cursor = health.cursor
        self.rows |= {one.number: one for one in parked}
        for number in gone:
            self.rows.pop(number, None)


def played(
    answer: Callable[[float, int], Outcome],
    script: Callable[[Scene], Coroutine[Any, Any, None]],
    outbox: MemoryOutbox | None = None,
    endpoint: Endpoint = ENDPOINT,
    scene: Scene | None = None,
) -> tuple[Scene, list[Any]]:
    scene = scene or Scene(answer, outbox)

    async def play() -> None:
        await scene.begin(endpoint=endpoint)
        running = asyncio.create_task(scene.worker.run())
        await script(scene)
        running.cancel()
        await asyncio.wait([running])

    with capture_logs() as logs:
        run_virtually(play())
    return scene, [(one["log_level"], one["event"]) for one in logs]
