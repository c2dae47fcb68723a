"""A call's events kept in order, and any number of readers who follow them at their own speed.

A reader is a cursor into the one bounded log, so it costs no queue of its own; how far it may fall
behind what is live is bounded all the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Protocol

from streamtrace.errors import StreamTraceError
from streamtrace.events.log import EventLog, WireEvent
from streamtrace.events.wire import CloudEvent

BATCH = 64  # events read at once; between batches other tasks get their turn


class SlowReader(StreamTraceError):
    """A reader fell too far behind; it may come back with its cursor."""

    close_code = 1013


class History(Protocol):
    """A call's older events, where they are kept longer than in memory."""

    async def after(self, sequence: int, until: int, limit: int) -> list[WireEvent]:
        """Up to `limit` events behind the cursor, at least one: a gap where they are gone."""
        ...


class EventChannel:
    """An `EventSink` that remembers, bounded, and wakes whoever reads along."""

    def __init__(
        self,
        *,
        most_events: int,
        most_behind: int,
        on_skip: Callable[[int], None] | None = None,
        history: History | None = None,
        forgotten: int = 0,
        gap: Callable[[int, int, WireEvent], CloudEvent] | None = None,
    ) -> None:
        self._log = EventLog(most_events, forgotten=forgotten, gap=gap)
        self._history = history  # of what the log has forgotten
        self._most_behind = most_behind
        self._on_skip = on_skip  # told how many events a reader was spared
        self._readers: set[EventReader] = set()
        self.closed = False

    @property
    def log(self) -> EventLog:
        """What is kept, to be read by cursor."""
        return self._log

    def publish(self, event: CloudEvent) -> None:
        """Keep the event; never waits."""
        self.show(WireEvent.of(event))

    def show(self, event: WireEvent) -> None:
        """The same, encoded already."""
        self._log.append(event)
        self._wake()

    def holds(self, cursor: int) -> bool:
        """Whether reading on from there needs memory alone."""
        return self._history is None or cursor >= self._log.forgotten

    async def page(self, after: int, limit: int) -> list[WireEvent]:
        """Up to `limit` events behind the cursor, from wherever they are."""
        if self._history is None or self.holds(after):
            return self._log.after(after, limit)
        events = await self._history.after(after, self._log.forgotten, limit)
        more = limit - len(events)
        if more and events[-1].number >= self._log.forgotten:
            events += self._log.after(events[-1].number, more)
        return events

    def close(self) -> None:
        """Nothing follows; readers get the rest."""
        self.closed = True
        self._wake()

    @contextmanager
    def reader(self, after: int = 0) -> Generator[EventReader]:
        """Read along behind a cursor, first what is kept, then what comes."""
        reader = EventReader(self, after, self._most_behind, self._on_skip)
        self._readers.add(reader)
        try:
            yield reader
        finally:
            self._readers.discard(reader)

    def _wake(self) -> None:
        for reader in self._readers:
            reader.wake()


class EventReader:
    """Every event once, in order; one that lags what is live is spared outdated scores only.

    A partial score is outdated when a newer one of its leg is there. Everything else always comes,
    and where even so too much has gathered the reader is refused with `SlowReader`.
    """

    def __init__(
        self,
        channel: EventChannel,
        after: int,
        most_behind: int,
        on_skip: Callable[[int], None] | None,
    ) -> None:
        self.cursor = after
        self._channel = channel
        self._most_behind = most_behind
        self._on_skip = on_skip
        self._caught_up = False  # until then it reads history, at whatever speed
        self._changed = asyncio.Event()

    @property
    def ended(self) -> bool:
        """All has been read, and nothing follows."""
        return self._channel.closed and self.cursor >= self._channel.log.newest

    def wake(self) -> None:
        """Something has changed."""
        self._changed.set()

    async def next_events(self, within_s: float) -> list[WireEvent]:
        """The next events as soon as there are any; none if there are none in that time."""
        try:
            async with asyncio.timeout(within_s):
                while not (events := await self._take()) and not self.ended:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return []
        return events

    async def _take(self) -> list[WireEvent]:
        log = self._channel.log
        behind = log.newest - self.cursor
        if behind <= 0:
            self._caught_up = True
            return []
        if self._caught_up and behind > self._most_behind and self._channel.holds(self.cursor):
            events = self._without_outdated(log.after(self.cursor, behind + 1))
        else:
            events = await self._channel.page(self.cursor, BATCH)
        self.cursor = events[-1].number
        return events

    def _without_outdated(self, events: list[WireEvent]) -> list[WireEvent]:
        newest = {event.leg: event.number for event in events if event.is_score}
        kept = [
            event
            for event in events
            if not event.is_score or event.is_final or newest[event.leg] == event.number
        ]
        if len(kept) > self._most_behind:
            raise SlowReader(
                f"more than {self._most_behind} events behind: connect again with the last sequence"
            )
        if self._on_skip is not None:
            self._on_skip(len(events) - len(kept))
        return kept
