"""The store of a running server: its journal, what reads beside it, and what keeps it small."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TypeVar

import structlog

from streamtrace.errors import StoreFailed
from streamtrace.events.log import WireEvent
from streamtrace.events.wire import stream_gap
from streamtrace.store.alerts import AlertReader
from streamtrace.store.database import Database
from streamtrace.store.journal import Journal
from streamtrace.store.location import locate
from streamtrace.store.outbox import StoredOutbox
from streamtrace.store.retention import Retention, Sweeper
from streamtrace.store.rows import Batch, CallRow
from streamtrace.store.thread import JobThread

log = structlog.get_logger()

Found = TypeVar("Found")

READERS = 2
CHECKPOINT_S = 2.0


class Store:
    """What is kept, for whoever is on the event loop; see `open_store`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._thread = JobThread("store-writer")
        self._reading = ThreadPoolExecutor(READERS, "store-reader")
        self.journal = Journal(database.write, self._thread)
        self.alerts = AlertReader(lambda look: self._read(lambda: database.read(look)))
        self.outbox = StoredOutbox(
            database.outbox,
            lambda look: self._read(lambda: database.read(look)),
            lambda work: self._thread.submit(lambda: database.change(work)),
            self.journal,
        )

    async def write(self, batch: Batch) -> None:
        """Kept when this returns; for what is not an event of a live call."""
        await self._thread.submit(lambda: self._database.write(batch))

    async def call(self, call_id: str) -> CallRow | None:
        """An ended call."""
        return await self._read(lambda: self._database.call(call_id))

    async def calls(
        self, *, external_id: str | None, before: str | None, limit: int
    ) -> list[CallRow]:
        """Ended calls, newest first."""
        return await self._read(
            lambda: self._database.calls(external_id=external_id, before=before, limit=limit)
        )

    async def live_calls(self) -> list[CallRow]:
        """Calls that a server before this one left without an end."""
        return await self._read(self._database.live_calls)

    async def story(self, call_id: str) -> tuple[list[WireEvent], int]:
        """A call's events but for most of its partial scores, and what all of them take."""
        return await self._read(
            lambda: (self._database.story(call_id), self._database.text_bytes(call_id))
        )

    def history(
        self, call_id: str, external_id: str | None, utc: Callable[[], datetime]
    ) -> History:
        """A call's events from the first one on."""
        return History(self, call_id, external_id, utc)

    async def events(self, call_id: str, after: int, *, until: int, limit: int) -> list[WireEvent]:
        """Behind `after`, up to `until`, both sequences."""
        return await self._read(
            lambda: self._database.events_after(call_id, after, until=until, limit=limit)
        )

    async def keep_small(
        self,
        retention: Retention,
        utc: Callable[[], datetime],
        forget: Callable[[str], Awaitable[None]],
    ) -> None:
        """Sweep and checkpoint until cancelled; `forget` is told of alerts that go."""
        sweeper = Sweeper(self._database, retention, self._thread.submit, utc, forget)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(sweeper.run())
            tasks.create_task(self.keep_checkpointed())

    async def close(self) -> None:
        """Nothing is read or written any more."""
        self._reading.shutdown(wait=False, cancel_futures=True)
        try:
            async with asyncio.timeout(CHECKPOINT_S):
                await self._thread.submit(self._database.close)
        except TimeoutError:
            log.error("the database does not answer: left open")
        self._thread.close()

    async def keep_checkpointed(self) -> None:
        """So that no commit waits for the disk."""
        while True:
            await asyncio.sleep(CHECKPOINT_S)
            try:
                await self._read(self._database.checkpoint)
                await self._thread.submit(self._database.finish_checkpoint)
            except StoreFailed as failure:
                log.debug("no checkpoint", problem=str(failure))

    async def _read(self, look: Callable[[], Found]) -> Found:
        return await asyncio.get_running_loop().run_in_executor(self._reading, look)


class History:
    """One call's kept events, for readers whose cursor is older than memory."""

    def __init__(
        self, store: Store, call_id: str, external_id: str | None, utc: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._call_id = call_id
        self._external_id = external_id
        self._utc = utc

    async def after(self, sequence: int, until: int, limit: int) -> list[WireEvent]:
        """Up to `limit` events, at least one: a gap up to `until` where there are none any more."""
        events = await self._store.events(self._call_id, sequence, until=until, limit=limit)
        if events:
            return events
        gap = stream_gap(
            call_id=self._call_id,
            external_id=self._external_id,
            first=sequence + 1,
            last=until,
            time=self._utc(),
        )
        return [WireEvent.of(gap)]


@asynccontextmanager
async def open_store(database: str) -> AsyncGenerator[Store]:
    """Raises `StoreError` where there is nothing to write to; closes behind the last event."""
    store = Store(await asyncio.to_thread(Database, locate(database)))
    try:
        async with store.journal:
            yield store
    finally:
        await store.close()
