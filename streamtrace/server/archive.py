"""Calls that memory does not hold any more, as the store gives them back."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

from streamtrace.events.views import LEGS, CallState, CallView
from streamtrace.ports import Clock
from streamtrace.server.live_call import LiveCall
from streamtrace.server.registry import Registry
from streamtrace.settings import Settings
from streamtrace.sinks.channel import EventChannel
from streamtrace.store.rows import CallRow
from streamtrace.values import EndReason

if TYPE_CHECKING:  # a server that keeps nothing loads no database
    from streamtrace.store.store import Store


@dataclass(frozen=True, slots=True)
class PastCall:
    """An ended call; its channel is closed, and all of it is history."""

    id: str
    external_id: str | None
    channel: EventChannel
    row: CallRow
    state: CallState = CallState.ENDED

    def view(self) -> CallView:
        """What is said about it."""
        return view_of(self.row)


KnownCall: TypeAlias = LiveCall | PastCall


class Archive:
    """Looks a call up in memory first, then in the store, if there is one."""

    def __init__(
        self, registry: Registry, store: Store | None, settings: Settings, clock: Clock
    ) -> None:
        self._registry = registry
        self._store = store
        self._settings = settings
        self._clock = clock

    async def find(self, call_id: str) -> KnownCall | None:
        """The call, wherever it is; raises `StoreFailed`."""
        live = self._registry.get(call_id)
        if live is not None or self._store is None:
            return live
        row = await self._store.call(call_id)
        if row is None:
            return self._registry.get(call_id)
        channel = EventChannel(
            most_events=1,
            most_behind=self._settings.subscriber_queue,
            history=self._store.history(row.id, row.external_id, self._utc),
            forgotten=row.last_sequence,
        )
        channel.close()
        return PastCall(row.id, row.external_id, channel, row)

    async def newest_first(
        self, *, state: CallState | None, external_id: str | None, after: str | None, most: int
    ) -> list[CallView]:
        """Those that fit, from memory and the store; raises `StoreFailed`."""
        past: list[CallRow] = []
        if self._store is not None and state in (None, CallState.ENDED):
            # So many of them may be in memory as well.
            limit = most + len(self._registry)
            past = await self._store.calls(external_id=external_id, before=after, limit=limit)
        held = self._registry.newest_first(state=state, external_id=external_id, after=after)
        views = _merged([live.view() for live in islice(held, most)], self._views(past))
        return list(islice(views, most))

    def _views(self, rows: list[CallRow]) -> Iterator[CallView]:
        return (view_of(row) for row in rows if self._registry.get(row.id) is None)

    def _utc(self) -> datetime:
        return self._clock.utc()


def view_of(row: CallRow) -> CallView:
    """A call as its last event left it."""
    return CallView(
        id=row.id,
        external_id=row.external_id,
        line=row.line,
        protocol=row.protocol,
        state=CallState.ENDED,
        started=row.started,
        ended=row.ended,
        reason=None if row.reason is None else EndReason(row.reason),
        legs=LEGS.validate_json(row.legs),
    )


def _merged(held: list[CallView], past: Iterator[CallView]) -> Iterator[CallView]:
    held.sort(key=lambda view: view.id, reverse=True)
    return heapq.merge(held, past, key=lambda view: view.id, reverse=True)
