"""Alerts in the database: their rows in a batch, and what is asked about them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, Table, delete, func, select

from streamtrace.events.alert_wire import feed_gap
from streamtrace.events.log import WireEvent
from streamtrace.store.rows import AlertRow, AlertRows, TransitionRow, plain
from streamtrace.store.schema import ALERT_EVENTS, ALERT_TRANSITIONS, ALERTS, BEFORE_ALL
from streamtrace.store.upsert import upsert

ALERT_COLUMNS = tuple(ALERTS.c[name] for name in AlertRow.__slots__)
TRANSITION_COLUMNS = tuple(ALERT_TRANSITIONS.c[name] for name in TransitionRow.__slots__)


class AlertWriter:
    """Inside the transactions of others; every statement may be repeated."""

    def __init__(self, insert: Callable[[Table], Any]) -> None:
        self._put_alert = upsert(insert(ALERTS), ALERTS)
        self._put_transition = upsert(insert(ALERT_TRANSITIONS), ALERT_TRANSITIONS)
        self._put_event = upsert(insert(ALERT_EVENTS), ALERT_EVENTS)

    def write(self, connection: Connection, rows: AlertRows) -> None:
        """All of it."""
        if rows.forget is not None:
            sequence, versions = rows.forget
            connection.execute(delete(ALERT_EVENTS).where(ALERT_EVENTS.c.sequence > sequence))
            of = ALERT_TRANSITIONS.c
            for alert_id, version in versions.items():
                connection.execute(
                    delete(ALERT_TRANSITIONS).where(of.alert_id == alert_id, of.version > version)
                )
        for statement, some in (
            (self._put_alert, rows.alerts),
            (self._put_transition, rows.transitions),
            (self._put_event, rows.events),
        ):
            if some:
                connection.execute(statement, [row.values() for row in some])

    def let_go(self, connection: Connection, call_id: str) -> None:
        """All alerts of a call; the feed's newest event stays, for its sequence goes on from it."""
        alerts = select(ALERTS.c.id).where(ALERTS.c.call_id == call_id)
        newest = select(func.max(ALERT_EVENTS.c.sequence)).scalar_subquery()
        connection.execute(
            delete(ALERT_EVENTS).where(
                ALERT_EVENTS.c.alert_id.in_(alerts), ALERT_EVENTS.c.sequence < newest
            )
        )
        connection.execute(
            delete(ALERT_TRANSITIONS).where(ALERT_TRANSITIONS.c.alert_id.in_(alerts))
        )
        connection.execute(delete(ALERTS).where(ALERTS.c.call_id == call_id))


class AlertReader:
    """What is asked about alerts; everything raises `StoreFailed`."""

    def __init__(self, read: Callable[[Callable[[Connection], Any]], Awaitable[Any]]) -> None:
        self._read = read

    async def find(self, alert_id: str) -> AlertRow | None:
        """One alert."""
        found = await self._alerts(select(*ALERT_COLUMNS).where(ALERTS.c.id == plain(alert_id)))
        return found[0] if found else None

    async def newest_first(
        self, *, states: Collection[str] | None, before: str | None, limit: int, **equal: str | None
    ) -> list[AlertRow]:
        """Those that fit; `equal` names columns, `before` is the id of a newer one."""
        query = select(*ALERT_COLUMNS)
        for name, wanted in equal.items():
            if wanted is not None:
                query = query.where(ALERTS.c[name] == plain(wanted))
        if states is not None:
            query = query.where(ALERTS.c.state.in_(states))
        if before is not None:
            query = query.where(ALERTS.c.id < plain(before))
        return await self._alerts(query.order_by(ALERTS.c.id.desc()).limit(limit))

    async def of_live_calls(self) -> list[AlertRow]:
        """Those whose call was not over when they were written last."""
        live = ALERTS.c.is_call_over.is_(False)
        return await self._alerts(select(*ALERT_COLUMNS).where(live).order_by(ALERTS.c.id))

    async def audit(self, alert_id: str) -> list[TransitionRow]:
        """All that was done to an alert, oldest first."""
        query = (
            select(*TRANSITION_COLUMNS)
            .where(ALERT_TRANSITIONS.c.alert_id == plain(alert_id))
            .order_by(ALERT_TRANSITIONS.c.version)
        )
        rows = await self._read(lambda connection: connection.execute(query).all())
        return [TransitionRow(*row) for row in rows]

    async def feed(self) -> str:
        """Whose sequence it is; see `name_feed`."""
        query = select(ALERT_EVENTS.c.text).where(ALERT_EVENTS.c.sequence == BEFORE_ALL)
        return str(await self._read(lambda connection: connection.execute(query).scalar_one()))

    async def newest_sequence(self) -> int:
        """Of the feed; 0 before its first event."""
        query = select(func.max(ALERT_EVENTS.c.sequence))
        return int(await self._read(lambda connection: connection.execute(query).scalar()) or 0)

    async def events(self, after: int, until: int, limit: int) -> list[WireEvent]:
        """The feed behind `after`, up to `until`."""
        of = ALERT_EVENTS.c
        query = (
            select(of.sequence, of.type, of.text)
            .where(of.sequence > after, of.sequence <= until)
            .order_by(of.sequence)
            .limit(limit)
        )
        rows = await self._read(lambda connection: connection.execute(query).all())
        return [WireEvent(number, type, None, False, text) for number, type, text in rows]

    async def _alerts(self, query: Select[Any]) -> list[AlertRow]:
        rows = await self._read(lambda connection: connection.execute(query).all())
        return [AlertRow(*row) for row in rows]


class AlertHistory:
    """The feed's kept events, for readers whose cursor is older than memory."""

    def __init__(self, alerts: AlertReader, utc: Callable[[], datetime]) -> None:
        self._alerts = alerts
        self._utc = utc

    async def after(self, sequence: int, until: int, limit: int) -> list[WireEvent]:
        """Up to `limit` events, at least one: a gap where there are none any more."""
        told: list[WireEvent] = []
        for event in await self._alerts.events(sequence, until, limit):
            if event.number > sequence + 1:
                told.append(self._gap(sequence + 1, event.number - 1))
            told.append(event)
            sequence = event.number
        return told[:limit] or [self._gap(sequence + 1, until)]

    def _gap(self, first: int, last: int) -> WireEvent:
        return WireEvent.of(feed_gap(first=first, last=last, time=self._utc()))
