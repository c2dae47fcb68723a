"""PostgreSQL as the database: the same tables and statements, and a lock that one server holds."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError

from streamtrace.errors import StoreError
from streamtrace.store.location import Location

LOCK = 7_387_201_551  # of this product's own; one server writes to a database
LOCK_S = 1.5  # for a server that has just died to be missed
CONNECT_S = 5
READERS = 4
OPTIONS = "-c statement_timeout=10000 -c lock_timeout=5000"


class Postgres:
    """A database that we alone write to while this is open."""

    alone = False
    insert = staticmethod(insert)

    def __init__(self, location: Location) -> None:
        self._location = location

    def writer(self) -> Engine:
        """One connection, which has the lock; a new one takes it again."""
        engine = self._engine(1)
        event.listen(engine, "connect", self._take_lock)
        return engine

    def reader(self) -> Engine:
        """For those who read beside the writer."""
        return self._engine(READERS, isolation_level="AUTOCOMMIT", pool_pre_ping=True)

    def check(self, writer: Engine) -> None:
        """It checks itself."""

    def explained(self, error: DBAPIError) -> StoreError:
        """What an error before the first call means, and what to do."""
        why = (str(error.orig).splitlines() or ["no answer"])[0]
        return StoreError(
            f"{self._location} cannot be used ({why}): see that it runs, and that the setting "
            "`database` is right"
        )

    def checkpoint(self, connection: DBAPIConnection) -> None:
        """It does so itself."""

    def shrink(self, connection: DBAPIConnection) -> None:
        """Its autovacuum does."""

    def close(self) -> None:
        """The lock goes with the connection."""

    def _engine(self, most: int, **options: Any) -> Engine:
        connecting = {
            "application_name": "streamtrace",
            "connect_timeout": CONNECT_S,
            "options": OPTIONS,
        }
        try:
            return create_engine(
                self._location.url,
                pool_size=most,
                max_overflow=0,
                hide_parameters=True,
                connect_args=connecting,
                **options,
            )
        except ModuleNotFoundError:
            raise StoreError(
                "database: PostgreSQL needs its driver: pip install 'streamtrace[postgres]'"
            ) from None
        except ArgumentError:
            raise StoreError("database: want sqlite:///FILE or postgresql://…") from None

    def _take_lock(self, connection: DBAPIConnection, _record: object) -> None:
        cursor = connection.cursor()
        until_s = time.monotonic() + LOCK_S
        while True:
            cursor.execute(f"SELECT pg_try_advisory_lock({LOCK})")
            (is_ours,) = cursor.fetchone() or (False,)
            connection.commit()
            if is_ours:
                break
            if time.monotonic() > until_s:
                raise StoreError(
                    f"{self._location} is in use by another StreamTrace server: stop that one, or "
                    "set `database` to another"
                )
            time.sleep(0.1)
        cursor.close()
