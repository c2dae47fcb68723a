"""What waits to be told to webhooks, and how each of them fares, in the database."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Protocol

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    and_,
    delete,
    func,
    select,
)

from streamtrace.events.alert_wire import SUBJECT as ALERTS_FEED
from streamtrace.events.log import WireEvent
from streamtrace.store.rows import Batch, plain
from streamtrace.store.schema import ALERT_EVENTS, CALLS, EVENTS, OUTBOX, PARKED, WEBHOOKS
from streamtrace.store.upsert import upsert
from streamtrace.webhooks.endpoint import Endpoint
from streamtrace.webhooks.health import Health, Parked
from streamtrace.webhooks.outbox import Account, Waiting

MOST_WAITING = 100_000  # some 100 bytes each: the events themselves are kept as ever

TEXTS = (
    select(OUTBOX.c.number, func.coalesce(EVENTS.c.text, ALERT_EVENTS.c.text))
    .select_from(OUTBOX)
    .outerjoin(
        EVENTS,
        and_(EVENTS.c.call_id == OUTBOX.c.subject, EVENTS.c.sequence == OUTBOX.c.sequence),
    )
    .outerjoin(
        ALERT_EVENTS,
        and_(OUTBOX.c.subject == ALERTS_FEED, ALERT_EVENTS.c.sequence == OUTBOX.c.sequence),
    )
    .order_by(OUTBOX.c.number)
)


class OutboxWriter:
    """Inside the transactions of events; every statement may be repeated."""

    def __init__(self, insert: Callable[[Table], Any]) -> None:
        self.types: frozenset[str] = frozenset()  # that anybody wants
        self._put = insert(OUTBOX).on_conflict_do_nothing()
        self.put_webhook = upsert(insert(WEBHOOKS), WEBHOOKS)
        self.put_parked = upsert(insert(PARKED), PARKED)

    def write(self, connection: Connection, batch: Batch) -> None:
        """What of the batch may be told."""
        if not self.types:
            return
        if batch.alerts is not None and batch.alerts.forget is not None:
            connection.execute(
                delete(OUTBOX).where(
                    OUTBOX.c.subject == ALERTS_FEED, OUTBOX.c.sequence > batch.alerts.forget[0]
                )
            )
        told = [row for row in batch.events if self._is_told(row.event)]
        rows: list[dict[str, Any]] = []
        if told:
            lines = self._lines(connection, {row.call_id for row in told})
            rows = [_row(row.call_id, row.event, lines.get(row.call_id)) for row in told]
        for row in () if batch.alerts is None else batch.alerts.events:
            if self._is_told(row.event):
                line: str | None = json.loads(row.event.text)["data"]["line"]
                rows.append(_row(ALERTS_FEED, row.event, line))
        if rows:
            connection.execute(self._put, rows)

    def _is_told(self, event: WireEvent) -> bool:
        return event.type in self.types and (event.is_final or not event.is_score)

    def _lines(self, connection: Connection, call_ids: set[str]) -> dict[str, str | None]:
        """Of calls whose rows are written."""
        wanted = select(CALLS.c.id, CALLS.c.line).where(CALLS.c.id.in_(call_ids))
        return {id: line for id, line in connection.execute(wanted).all()}


class Keeping(Protocol):
    """Whoever knows whether events are kept at all."""

    problem: str | None


class StoredOutbox:
    """An `Outbox` in the database; everything raises `StoreFailed`."""

    most = MOST_WAITING

    def __init__(
        self,
        writer: OutboxWriter,
        read: Callable[[Callable[[Connection], Any]], Awaitable[Any]],
        change: Callable[[Callable[[Connection], Any]], Awaitable[Any]],
        keeping: Keeping,
    ) -> None:
        self._writer = writer
        self._read = read
        self._change = change
        self._keeping = keeping

    @property
    def problem(self) -> str | None:
        """While nothing is kept, what the database has may yet be forgotten."""
        return self._keeping.problem

    async def begin(self, endpoints: Sequence[Endpoint]) -> Mapping[str, Account]:
        """Accounts of these, who begin with what comes now; all others are forgotten."""
        self._writer.types = frozenset(type for one in endpoints for type in one.types)
        return await self._change(lambda connection: self._accounts(connection, endpoints))

    async def newest(self) -> int:
        """The newest number."""
        return await self._read(_newest)

    async def behind(self, endpoint: Endpoint, cursor: int, most: int) -> list[Waiting]:
        """What the endpoint wants behind its cursor, oldest first."""
        wanted = TEXTS.where(OUTBOX.c.number > cursor, _wants(endpoint)).limit(most)
        rows = await self._read(lambda connection: connection.execute(wanted).all())
        return [Waiting(*row) for row in rows]

    async def texts(self, numbers: Sequence[int]) -> list[Waiting]:
        """These."""
        wanted = TEXTS.where(OUTBOX.c.number.in_(numbers))
        found = dict(
            tuple(row)
            for row in await self._read(lambda connection: connection.execute(wanted).all())
        )
        return [Waiting(number, found.get(number)) for number in numbers]

    async def count(self, endpoint: Endpoint, cursor: int, until: int) -> int:
        """How much of what is behind the cursor the endpoint wants."""
        number = OUTBOX.c.number
        wanted = select(func.count()).where(number > cursor, number <= until, _wants(endpoint))
        return int(await self._read(lambda connection: connection.execute(wanted).scalar()) or 0)

    async def keep(
        self, endpoint: Endpoint, health: Health, parked: Sequence[Parked], gone: Sequence[int]
    ) -> None:
        """The account as it is now."""

        def work(connection: Connection) -> None:
            connection.execute(self._writer.put_webhook, _webhook(endpoint.name, health))
            if parked:
                rows = [{"name": endpoint.name} | asdict(one) for one in parked]
                connection.execute(self._writer.put_parked, rows)
            if gone:
                connection.execute(
                    delete(PARKED).where(PARKED.c.name == endpoint.name, PARKED.c.number.in_(gone))
                )

        await self._change(work)

    async def trim(self, cursor: int) -> None:
        """Let go what every endpoint has passed, but for what is parked."""
        passed = delete(OUTBOX).where(
            OUTBOX.c.number <= cursor, OUTBOX.c.number.not_in(select(PARKED.c.number))
        )
        await self._change(lambda connection: connection.execute(passed))

    def _accounts(
        self, connection: Connection, endpoints: Sequence[Endpoint]
    ) -> dict[str, Account]:
        names = [one.name for one in endpoints]
        for table in (WEBHOOKS, PARKED):
            connection.execute(delete(table).where(table.c.name.not_in(names)))
        if not names:
            connection.execute(delete(OUTBOX))
        newest = _newest(connection)
        known = {
            name: _health(cursor, text)
            for name, cursor, text in connection.execute(select(WEBHOOKS)).all()
        }
        parked: dict[str, list[Parked]] = {name: [] for name in names}
        for name, *given in connection.execute(select(PARKED)).all():
            parked[name].append(Parked(*given))
        accounts: dict[str, Account] = {}
        for one in endpoints:
            health = known.get(one.name) or Health(newest, one.fingerprint)
            connection.execute(self._writer.put_webhook, _webhook(one.name, health))
            accounts[one.name] = Account(health, parked[one.name])
        return accounts


def _newest(connection: Connection) -> int:
    return int(connection.execute(select(func.max(OUTBOX.c.number))).scalar() or 0)


def _wants(endpoint: Endpoint) -> ColumnElement[bool]:
    wanted = OUTBOX.c.type.in_(endpoint.types)
    if endpoint.lines is None:
        return wanted
    return and_(wanted, OUTBOX.c.line.in_([plain(line) for line in endpoint.lines]))


def _row(subject: str, event: WireEvent, line: str | None) -> dict[str, Any]:
    return {"subject": subject, "sequence": event.number, "type": event.type, "line": plain(line)}


def _health(cursor: int, text: str) -> Health:
    values: dict[str, Any] = json.loads(text)
    for key in ("failing", "refuses"):  # JSON knows lists alone
        values[key] = tuple(values.get(key, ()))
    return Health(cursor, **values)


def _webhook(name: str, health: Health) -> dict[str, Any]:
    values = asdict(health)
    return {"name": name, "cursor": values.pop("cursor"), "text": json.dumps(values)}
