"""Events are kept first and shown then; where they cannot be kept, they are shown live.

THE LAW: whatever was shown while `problem` is None survives any end of the process.

A batch is written as soon as there is one; while it is written, and for a few milliseconds behind
it, the next one gathers. On a slow disk a partial score gives way to a newer one of its leg. On one
that is full, or gone, everything is shown at once, and the holes are filled when it is back.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

import structlog

from streamtrace.errors import StoreFailed
from streamtrace.events.log import WireEvent
from streamtrace.store.entries import Change, Debt, Decision, Entry, Show
from streamtrace.store.holes import Hole, Holes, KeptCall
from streamtrace.store.rows import AlertRows, Batch, CallRow, EventRow, RowRefused, joined
from streamtrace.store.thread import JobThread

log = structlog.get_logger()

GATHER_S = 0.005  # between two transactions
MOST_BATCH = 256
MOST_BEHIND = 512  # events waiting; with more, outdated scores give way
MOST_WAITING = 4_096  # events waiting; with more, the disk counts as gone: 10 MB of memory
PATIENCE_S = 3.0  # for one transaction
RETRY_S, LONGEST_RETRY_S = 1.0, 15.0


@dataclass(slots=True)
class Watch:
    """Who is told how it goes; for metrics."""

    shown: Callable[[float], None] = lambda _delay_s: None
    unkept: Callable[[str, int], None] = lambda _why, _events: None
    live_only: Callable[[bool], None] = lambda _is: None


class Journal:
    """As an async context manager it owns the task that writes; events are put from the loop."""

    def __init__(
        self,
        write: Callable[[Batch], None],
        thread: JobThread,
        *,
        gather_s: float = GATHER_S,
        patience_s: float = PATIENCE_S,
        retry_s: float = RETRY_S,
    ) -> None:
        self.watch = Watch()
        self.problem: str | None = None  # why nothing is kept now
        self.debt: Debt | None = None
        self._write_now = write
        self._thread = thread
        self._gather_s = gather_s
        self._patience_s = patience_s
        self._retry_s = retry_s
        self._waiting: dict[int, Entry | Decision] = {}
        self._partials: dict[tuple[str, str], int] = {}  # call and leg: its score that waits
        self._in_flight: list[Entry | Decision] = []
        self._unanswered: asyncio.Future[None] | None = None
        self._shown_s = 0.0
        self._number = 0
        self._holes = Holes()
        self._wanted = asyncio.Event()
        self._settled = asyncio.Event()
        self._settled.set()
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Journal:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """What was put is still kept and shown."""
        assert self._task is not None
        self._closing.set()
        self._wanted.set()
        await asyncio.wait([self._task])
        self._task.result()

    def put(
        self,
        call: KeptCall,
        event: WireEvent,
        row: CallRow | None,
        show: Show,
        change: Change | None = None,
    ) -> None:
        """Keep the event, then show it; never waits. Events of a call are put in their order."""
        entry = Entry(call, event, row, show, time.monotonic(), change)
        if not self._is_keeping():
            self._show_unkept(entry)
            return
        if event.is_score:
            self._give_way(call.id, event, brings_more=change is not None)
        self._wait_for(entry)

    def decide(self, change: Change) -> None:
        """Keep a person's decision, then show it; it is told at once where that cannot be."""
        if self._is_keeping():
            self._wait_for(Decision(change))
        else:
            change.unkept()

    def _is_keeping(self) -> bool:
        if self.problem is None and len(self._waiting) >= MOST_WAITING:
            self._fail(f"{MOST_WAITING} events wait for it")
        return self.problem is None

    async def flushed(self) -> None:
        """Until all that was put is shown."""
        await self._settled.wait()

    def _wait_for(self, entry: Entry | Decision) -> None:
        self._number += 1
        self._waiting[self._number] = entry
        self._settled.clear()
        self._wanted.set()

    def _give_way(self, call_id: str, score: WireEvent, *, brings_more: bool) -> None:
        """An older partial score of the leg, where too much waits."""
        key = (call_id, str(score.leg))
        before = self._partials.pop(key, None)
        if score.is_final or brings_more:  # neither is ever outdated
            return
        self._partials[key] = self._number + 1
        if len(self._waiting) >= MOST_BEHIND and self._waiting.pop(before or 0, None):
            self.watch.unkept("outdated", 1)

    async def _run(self) -> None:
        while True:
            if self.problem is not None and not await self._recover():
                return
            if not self._waiting:
                self._settled.set()
                if self._closing.is_set():
                    return
                self._wanted.clear()
                await self._wanted.wait()
                continue
            await self._gather()
            self._take()
            try:
                await self._write(_batch_of(self._in_flight))
            except StoreFailed as failure:
                if self.problem is None:
                    self._fail(str(failure))
                continue
            kept, self._in_flight = self._in_flight, []  # none if they were shown meanwhile
            self._show(kept)
            self._shown_s = time.monotonic()

    async def _gather(self) -> None:
        """Wait for company, where the last transaction was a moment ago."""
        pause_s = self._shown_s + self._gather_s - time.monotonic()
        if pause_s > 0 and not self._closing.is_set():
            await asyncio.sleep(pause_s)

    def _take(self) -> None:
        """The oldest that wait."""
        numbers = list(islice(self._waiting, MOST_BATCH))
        self._in_flight = [self._waiting.pop(number) for number in numbers]
        if not self._waiting:
            self._partials.clear()

    async def _write(self, batch: Batch) -> None:
        """In the thread, which has one transaction at most to do."""
        if self._unanswered is not None:
            await self._answer(self._unanswered)
        await self._answer(self._thread.submit(lambda: self._write_now(batch)))

    async def _answer(self, answer: asyncio.Future[None]) -> None:
        self._unanswered = answer
        await asyncio.wait([answer], timeout=self._patience_s)
        if not answer.done():
            raise StoreFailed(f"it has not answered for {self._patience_s:g} s")
        self._unanswered = None
        answer.result()

    def _show(self, entries: Iterable[Entry | Decision]) -> None:
        now_s = time.monotonic()
        for entry in entries:
            if isinstance(entry, Entry) and entry.show is not None:
                entry.show()
                self.watch.shown(now_s - entry.put_at_s)
            if entry.change is not None:
                entry.change.kept()

    # Live only

    def _fail(self, why: str) -> None:
        """Nothing is kept from now on, and all that waits is shown."""
        self.problem = why
        log.error("events are not kept: shown live only", problem=why)
        self.watch.live_only(True)
        unkept = [*self._in_flight, *self._waiting.values()]
        self._in_flight = []
        self._waiting.clear()
        self._partials.clear()
        for entry in unkept:
            self._show_unkept(entry)
        self._settled.set()

    def _show_unkept(self, entry: Entry | Decision) -> None:
        if isinstance(entry, Entry):
            self._holes.note(entry.call, entry.event.number, entry.row)
            if entry.show is not None:
                entry.show()
                self.watch.unkept("live_only", 1)
        if entry.change is not None:
            entry.change.unkept()

    async def _recover(self) -> bool:
        """Until the holes are filled; False if the process ends before."""
        pause_s = self._retry_s
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._closing.wait()
            holes, self._holes = self._holes, Holes()
            try:
                for hole in holes:
                    await self._fill(hole)
                await self._pay()
                break
            except StoreFailed as failure:
                self._holes.put_back(holes)
                if self._closing.is_set():
                    log.error("events were never kept", calls=len(self._holes), why=str(failure))
                    return False
                pause_s = min(2 * pause_s, LONGEST_RETRY_S)
        log.info("events are kept again", calls=len(holes))
        self.problem = None
        self.watch.live_only(False)
        newer, self._holes = self._holes, Holes()
        for hole in newer:  # of what was shown while the others were filled
            batch = hole.batch()
            for number, row in enumerate(batch.events):
                self._wait_for(Entry(hole.call, row.event, None if number else hole.row, None, 0.0))
        return True

    async def _fill(self, hole: Hole) -> None:
        try:
            await self._write(hole.batch())
        except RowRefused as refusal:  # trying again would keep all others waiting
            log.error("a call's events cannot be kept", call_id=hole.call.id, why=str(refusal))

    async def _pay(self) -> None:
        while self.debt is not None and (owed := self.debt.owed()) is not None:
            try:
                await self._write(Batch(alerts=owed))
            except RowRefused as refusal:
                log.error("changes of alerts cannot be kept", why=str(refusal))
            self.debt.paid()


def _batch_of(entries: Iterable[Entry | Decision]) -> Batch:
    """Of a call's rows the newest stands for all, and of an alert's."""
    calls: dict[str, CallRow] = {}
    events: list[EventRow] = []
    changes: list[AlertRows] = []
    for entry in entries:
        if isinstance(entry, Entry):
            events.append(EventRow(entry.call.id, entry.event))
            if entry.row is not None:
                calls[entry.call.id] = entry.row
        if entry.change is not None:
            changes.append(entry.change.rows())
    return Batch(list(calls.values()), events, joined(changes) if changes else None)
