"""All webhooks of a server: woken by what is shown, looked after, and asked how they fare."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog

import streamtrace
from streamtrace.errors import StoreFailed
from streamtrace.events.log import WireEvent
from streamtrace.ports import Clock
from streamtrace.server.webhook_worker import WebhookWorker
from streamtrace.settings import Settings
from streamtrace.telemetry import Metrics
from streamtrace.webhooks.answer import Outcome
from streamtrace.webhooks.endpoint import Endpoint, Receivers
from streamtrace.webhooks.health import enabled
from streamtrace.webhooks.message import ping
from streamtrace.webhooks.outbox import Account, MemoryOutbox, Outbox

if (
    TYPE_CHECKING
):  # a server that keeps nothing loads no database, and one without webhooks no client
    from streamtrace.sinks.webhook import WebhookPost
    from streamtrace.store.store import Store

log = structlog.get_logger()

LOOK_AFTER_S = 60.0


class WebhookDesk:
    """`begin` comes before the first event, `run` is a task of the server's."""

    def __init__(
        self, settings: Settings, store: Store | None, metrics: Metrics, clock: Clock
    ) -> None:
        """Raises `SettingsError` where an endpoint cannot be."""
        self.receivers = Receivers.from_settings(settings.webhooks, settings.webhook_networks)
        self.workers: dict[str, WebhookWorker] = {}
        self._memory = MemoryOutbox() if store is None else None
        self._outbox: Outbox = _outbox(store, self._memory)
        self._metrics = metrics
        self._clock = clock
        self._post: WebhookPost | None = None
        self._crowded = asyncio.Event()

    async def begin(self) -> None:
        """Go on where the last server was; changed settings enable again. Raises `StoreFailed`."""
        endpoints = {one.name: one for one in self.receivers.enabled}
        accounts = await self._outbox.begin(list(endpoints.values()))
        if not accounts:
            return
        from streamtrace.sinks.webhook import WebhookPost

        version = streamtrace.__version__
        self._post = WebhookPost(self.receivers.guard, self._clock, version=version)
        for name, account in accounts.items():
            endpoint, health = endpoints[name], account.health
            if health.fingerprint != endpoint.fingerprint:
                health = enabled(health, fingerprint=endpoint.fingerprint)
                await self._outbox.keep(endpoint, health, [], [])
            if health.disabled is not None:
                log.error("webhook is disabled", webhook=name, why=health.disabled)
            self.workers[name] = WebhookWorker(
                endpoint,
                Account(health, account.parked),
                self._outbox,
                self._post,
                self._clock,
                self._tell,
            )

    async def run(self) -> None:
        """Tell everybody until cancelled."""
        if self._post is None:
            return
        async with self._post, asyncio.TaskGroup() as tasks:
            for worker in self.workers.values():
                tasks.create_task(worker.run())
            await self._look_after()

    def offer(self, event: WireEvent, line: str | None) -> None:
        """It was shown, and where events are kept at all it is kept; never waits."""
        wanted = [one for one in self.receivers.enabled if one.wants(event.type, line)]
        if not wanted or (event.is_score and not event.is_final):
            return
        if self._memory is not None:
            self._memory.put(event, line)
            if self._memory.is_crowded:
                self._crowded.set()
        for endpoint in wanted:
            if (worker := self.workers.get(endpoint.name)) is not None:
                worker.wake()

    async def idle(self) -> None:
        """Until all that can be told now is told."""
        for worker in self.workers.values():
            await worker.idle()

    async def ping(self, worker: WebhookWorker) -> Outcome:
        """Try an endpoint."""
        message_id = f"ping_{secrets.token_hex(12)}"
        event = ping(worker.endpoint.name, time=self._clock.utc(), event_id=message_id)
        return await worker.ping(message_id, event.to_json())

    def failing(self) -> dict[str, str]:
        """Endpoints that are told nothing now, or lose what they refuse, and why."""
        found: dict[str, str] = {}
        for name, worker in self.workers.items():
            health = worker.health
            if health.disabled is not None:
                found[name] = f"disabled: {health.disabled}"
            elif health.is_down:
                found[name] = f"down: {health.last_failure}"
            elif worker.is_full:
                found[name] = f"parking full: {health.last_failure}"
            elif health.refuses:
                found[name] = f"refuses {', '.join(health.refuses)}: {health.last_failure}"
        return found

    async def _look_after(self) -> None:
        while True:
            self._crowded.clear()
            try:
                await self._let_go()
            except StoreFailed as failure:
                log.warning("webhooks wait for the database", problem=str(failure))
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_AFTER_S):
                    await self._crowded.wait()

    async def _let_go(self) -> None:
        """What everybody has passed; and of those who are too far behind, the oldest."""
        cutoff = await self._outbox.newest() - self._outbox.most
        for worker in self.workers.values():
            await worker.drop_older(cutoff)
            await worker.keep()
            name = worker.endpoint.name
            self._metrics.webhook_pending.labels(name).set(await worker.pending())
            self._metrics.webhook_disabled.labels(name).set(worker.health.disabled is not None)
        await self._outbox.trim(min(one.kept_cursor for one in self.workers.values()))

    def _tell(self, endpoint: Endpoint, what: str, events: int) -> None:
        self._metrics.webhook_events.labels(endpoint.name, what).inc(events)


def _outbox(store: Store | None, memory: MemoryOutbox | None) -> Outbox:
    if store is not None:
        return store.outbox
    assert memory is not None
    return memory
