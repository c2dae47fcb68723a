"""The database, from one thread or another: batches in, calls and events out."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import Connection, Engine, Insert, Select, delete, func, select, update
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    SQLAlchemyError,
    StatementError,
)

from streamtrace.errors import StoreError, StoreFailed
from streamtrace.events.log import WireEvent
from streamtrace.store.alerts import AlertWriter
from streamtrace.store.location import Location
from streamtrace.store.outbox import OutboxWriter
from streamtrace.store.postgres import Postgres
from streamtrace.store.rows import ENDED, LEAVING, LIVE, Batch, CallRow, RowRefused, plain
from streamtrace.store.schema import ALERTS, CALLS, EVENTS, make_or_check, name_feed
from streamtrace.store.sqlite import Sqlite
from streamtrace.values import Leg

Found = TypeVar("Found")

EVENT_COLUMNS = (
    EVENTS.c.sequence,
    EVENTS.c.type,
    EVENTS.c.leg,
    EVENTS.c.is_final,
    EVENTS.c.text,
)


class ConnectionGone(StoreFailed):
    """The connection was lost; a new one may do."""


class Database:
    """Open from the beginning to `close`; every method may wait for a disk or a network.

    What cannot be done raises `StoreFailed`; what is wrong from the beginning, `StoreError`.
    """

    def __init__(self, location: Location) -> None:
        self._backend: Sqlite | Postgres = (
            Sqlite(location) if location.file is not None else Postgres(location)
        )
        self._writer = self._backend.writer()
        try:
            self._reader = self._backend.reader()
            with self._writer.begin() as connection:
                if self._backend.alone:
                    connection.exec_driver_sql("BEGIN IMMEDIATE")  # tables too are made as a whole
                make_or_check(connection, str(location), alone=self._backend.alone)
                name_feed(connection)
            self._backend.check(self._writer)
        except DBAPIError as error:
            explained = self._backend.explained(error)
            self.close()
            raise explained from None
        except BaseException:
            self.close()
            raise
        event = self._backend.insert(EVENTS)
        call = self._backend.insert(CALLS)
        new = {name: call.excluded[name] for name in CallRow.__slots__ if name != "id"}
        # A batch whose commit was not heard of may come again.
        self._put_event: Insert = event.on_conflict_do_nothing()
        self._put_call: Insert = call.on_conflict_do_update(index_elements=["id"], set_=new)
        self._alerts = AlertWriter(self._backend.insert)
        self.outbox = OutboxWriter(self._backend.insert)

    def close(self) -> None:
        """Let everything go."""
        self._writer.dispose()
        if hasattr(self, "_reader"):
            self._reader.dispose()
        self._backend.close()

    # Writing; from one thread

    def write(self, batch: Batch) -> None:
        """All of it is kept when this returns, and nothing of it if it raises."""
        try:
            self._write(batch)
        except ConnectionGone:  # as when PostgreSQL was started anew; there may be another
            self._write(batch)

    def _write(self, batch: Batch) -> None:
        with self._writing() as connection:
            if batch.calls:
                connection.execute(self._put_call, [row.values() for row in batch.calls])
            if batch.events:
                connection.execute(self._put_event, [row.values() for row in batch.events])
            if batch.alerts is not None:
                self._alerts.write(connection, batch.alerts)
            self.outbox.write(connection, batch)

    def change(self, work: Callable[[Connection], Found]) -> Found:
        """Whatever `work` does, as a whole."""
        with self._writing() as connection:
            return work(connection)

    def leave(self, call_id: str) -> None:
        """The call is not shown any more; its events go behind it, part by part."""
        with self._writing() as connection:
            connection.execute(update(CALLS).where(CALLS.c.id == call_id).values(state=LEAVING))

    def delete_some(self, call_id: str, most: int) -> bool:
        """Delete that many events of a call that leaves; False when the call itself is gone."""
        some = (
            select(EVENTS.c.sequence)
            .where(EVENTS.c.call_id == call_id)
            .order_by(EVENTS.c.sequence)
            .limit(most)
        )
        with self._writing() as connection:
            gone = connection.execute(
                delete(EVENTS).where(EVENTS.c.call_id == call_id, EVENTS.c.sequence.in_(some))
            ).rowcount
            if gone == most:
                return True
            self._alerts.let_go(connection, call_id)
            connection.execute(delete(CALLS).where(CALLS.c.id == call_id))
            return False

    def finish_checkpoint(self) -> None:
        """The rest that came meanwhile, so that the log begins anew."""
        self._maintain(self._writer, self._backend.checkpoint)

    def shrink(self) -> None:
        """Give a little of what was deleted back."""
        self._maintain(self._writer, self._backend.shrink)

    # Reading; from any thread, beside the writer

    def checkpoint(self) -> None:
        """Most of the work, which no commit has to wait for."""
        self._maintain(self._reader, self._backend.checkpoint)

    def read(self, look: Callable[[Connection], Found]) -> Found:
        """Whatever `look` finds."""
        with self._reading() as connection:
            return look(connection)

    def events_after(
        self, call_id: str, sequence: int, *, until: int | None = None, limit: int
    ) -> list[WireEvent]:
        """Up to `limit` events behind the cursor, oldest first; none past `until`."""
        wanted = select(*EVENT_COLUMNS).where(
            EVENTS.c.call_id == call_id, EVENTS.c.sequence > sequence
        )
        if until is not None:
            wanted = wanted.where(EVENTS.c.sequence <= until)
        with self._reading() as connection:
            rows = connection.execute(wanted.order_by(EVENTS.c.sequence).limit(limit)).all()
        return [
            WireEvent(number, type, leg and Leg(leg), is_final, text)
            for number, type, leg, is_final, text in rows
        ]

    def call(self, call_id: str) -> CallRow | None:
        """An ended call."""
        is_it = CALLS.c.id == plain(call_id)
        found = self._calls(select(CALLS).where(is_it, CALLS.c.state == ENDED))
        return found[0] if found else None

    def calls(self, *, external_id: str | None, before: str | None, limit: int) -> list[CallRow]:
        """Ended calls, newest first; `before` is the id of a newer one."""
        wanted = select(CALLS).where(CALLS.c.state == ENDED)
        if external_id is not None:
            wanted = wanted.where(CALLS.c.external_id == plain(external_id))
        if before is not None:
            wanted = wanted.where(CALLS.c.id < plain(before))
        return self._calls(wanted.order_by(CALLS.c.id.desc()).limit(limit))

    def live_calls(self) -> list[CallRow]:
        """Those whose end was not written: of a server that is no more, when one starts."""
        return self._calls(select(CALLS).where(CALLS.c.state == LIVE).order_by(CALLS.c.id))

    def story(self, call_id: str) -> list[WireEvent]:
        """What of a call's events says how it went: all but its partial scores, save the last."""
        last = (
            select(EVENTS.c.leg, func.max(EVENTS.c.sequence).label("sequence"))
            .where(EVENTS.c.call_id == call_id, EVENTS.c.leg.is_not(None))
            .group_by(EVENTS.c.leg)
            .subquery()
        )
        wanted = select(*EVENT_COLUMNS).where(
            EVENTS.c.call_id == call_id,
            EVENTS.c.leg.is_(None)
            | EVENTS.c.is_final
            | EVENTS.c.sequence.in_(select(last.c.sequence)),
        )
        with self._reading() as connection:
            rows = connection.execute(wanted.order_by(EVENTS.c.sequence)).all()
        return [
            WireEvent(number, type, leg and Leg(leg), is_final, text)
            for number, type, leg, is_final, text in rows
        ]

    def text_bytes(self, call_id: str) -> int:
        """What the texts of a call's events take, roughly."""
        with self._reading() as connection:
            size = select(func.sum(func.length(EVENTS.c.text))).where(EVENTS.c.call_id == call_id)
            return int(connection.execute(size).scalar() or 0)

    def leaving(self) -> list[str]:
        """Calls whose deletion was begun."""
        with self._reading() as connection:
            wanted = select(CALLS.c.id).where(CALLS.c.state == LEAVING)
            return list(connection.execute(wanted).scalars())

    def alerts_of(self, call_id: str) -> list[str]:
        """Ids of a call's alerts."""
        with self._reading() as connection:
            wanted = select(ALERTS.c.id).where(ALERTS.c.call_id == call_id)
            return list(connection.execute(wanted).scalars())

    def oldest_ended(self, *, before: str | None = None, limit: int) -> Sequence[tuple[str, int]]:
        """Id and size of those that ended first; with `before`, before that time."""
        wanted = select(CALLS.c.id, CALLS.c.bytes).where(CALLS.c.state == ENDED)
        if before is not None:
            wanted = wanted.where(CALLS.c.ended < before)
        with self._reading() as connection:
            rows = connection.execute(wanted.order_by(CALLS.c.id).limit(limit)).all()
        return [(id, int(size)) for id, size in rows]

    def ended_bytes(self) -> int:
        """What the events of all ended calls take."""
        with self._reading() as connection:
            size = select(func.sum(CALLS.c.bytes)).where(CALLS.c.state == ENDED)
            return int(connection.execute(size).scalar() or 0)

    def _calls(self, wanted: Select[tuple[object, ...]]) -> list[CallRow]:
        with self._reading() as connection:
            return [CallRow(*row) for row in connection.execute(wanted).all()]

    @contextmanager
    def _writing(self) -> Generator[Connection]:
        with self._failing(), self._writer.begin() as connection:
            yield connection

    @contextmanager
    def _reading(self) -> Generator[Connection]:
        with self._failing(), self._reader.connect() as connection:
            yield connection

    def _maintain(self, engine: Engine, work: Callable[[DBAPIConnection], None]) -> None:
        with self._failing(), engine.connect() as connection:
            work(connection.connection.dbapi_connection)  # pyright: ignore

    @contextmanager
    def _failing(self) -> Generator[None]:
        """The database's errors as ours; their text holds no values (`hide_parameters`)."""
        try:
            yield
        except StoreFailed:
            raise
        except (DataError, IntegrityError) as error:
            raise RowRefused(str(error.orig).splitlines()[0]) from None
        except DBAPIError as error:
            kind = ConnectionGone if error.connection_invalidated else StoreFailed
            raise kind((str(error.orig).splitlines() or ["no answer"])[0]) from None
        except (StatementError, ValueError) as error:
            raise RowRefused(type(error).__name__) from None
        except (SQLAlchemyError, StoreError) as error:  # no connection; or another took our lock
            raise StoreFailed(str(error).splitlines()[0]) from None
