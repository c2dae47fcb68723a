"""Lets old calls go, by age and by size: whole ended calls, a little at a time, oldest first."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog

from streamtrace.errors import StoreFailed
from streamtrace.store.database import Database

log = structlog.get_logger()

EVERY_S = 60.0
AT_ONCE = 50  # calls looked up
EVENTS_AT_ONCE = 200  # deleted in a transaction; what is live is written in between
BREATH_S = 0.02


@dataclass(frozen=True, slots=True)
class Retention:
    """How long calls are kept after their end, and how much their events may take."""

    days: int | None
    megabytes: int | None


class Sweeper:
    """Every transaction of its own is done in the writer's thread, in turn with the journal's.

    `forget` is told of each alert before it goes, for what is kept of it elsewhere; twice where a
    sweep was cut off.
    """

    def __init__(
        self,
        database: Database,
        retention: Retention,
        submit: Callable[[Callable[[], Any]], asyncio.Future[Any]],
        utc: Callable[[], datetime],
        forget: Callable[[str], Awaitable[None]],
    ) -> None:
        self._database = database
        self._retention = retention
        self._submit = submit
        self._utc = utc
        self._forget = forget

    async def run(self) -> None:
        """Now and then, for as long as the server runs."""
        while True:
            try:
                await self.sweep()
            except StoreFailed as failure:
                log.warning("old calls stay for now", problem=str(failure))
            await asyncio.sleep(EVERY_S)

    async def sweep(self) -> int:
        """Let go what has to; how many calls went."""
        gone = 0
        for call_id in await self._submit(self._database.leaving):  # an earlier sweep was cut off
            gone += await self._let_go(call_id)
        if self._retention.days is not None:
            before = (self._utc() - timedelta(days=self._retention.days)).isoformat()
            while old := await self._oldest(before):
                for call_id, _ in old:
                    gone += await self._let_go(call_id)
        if self._retention.megabytes is not None:
            excess = await self._submit(self._database.ended_bytes)
            excess -= self._retention.megabytes * 1_000_000
            while excess > 0 and (old := await self._oldest(None)):
                for call_id, size in old:
                    if excess > 0:
                        gone += await self._let_go(call_id)
                        excess -= size
        if gone:
            log.info("old calls let go", calls=gone)
        return gone

    async def _oldest(self, before: str | None) -> list[tuple[str, int]]:
        return await self._submit(
            lambda: list(self._database.oldest_ended(before=before, limit=AT_ONCE))
        )

    async def _let_go(self, call_id: str) -> int:
        await self._submit(lambda: self._database.leave(call_id))
        for alert_id in await self._submit(lambda: self._database.alerts_of(call_id)):
            await self._forget(alert_id)
        is_more = True
        while is_more:
            is_more = await self._submit(
                lambda: self._database.delete_some(call_id, EVENTS_AT_ONCE)
            )
            await asyncio.sleep(BREATH_S)
        await self._submit(self._database.shrink)
        return 1
