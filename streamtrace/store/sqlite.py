"""SQLite as the embedded database: one file, one server, and a log that survives its end.

In WAL mode with `synchronous=NORMAL` what was committed survives any end of the process; a power
cut may take the last moments, never the file. Checkpoints, which wait for the disk, are made beside
the writer (`checkpoint`), so that no commit waits for one.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError

from streamtrace.errors import StoreError
from streamtrace.store.location import Location

BUSY_S = 1.0  # for another program's lock on the file to go
CHECKED_BYTES = 64 << 20  # a larger file is not read through before each start
BACKSTOP_PAGES = 25_000  # a log of 100 MB is checkpointed by the writer itself
READERS = 2

CONNECTING = (
    "PRAGMA auto_vacuum=INCREMENTAL",  # before the first table, or never
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=NORMAL",
    f"PRAGMA wal_autocheckpoint={BACKSTOP_PAGES}",
)


class Sqlite:
    """A file that is ours alone while this is open."""

    alone = True
    insert = staticmethod(insert)

    def __init__(self, location: Location) -> None:
        assert location.file is not None
        self._file = location.file
        self._url = location.url
        self._lock: sqlite3.Connection | None = None

    def writer(self) -> Engine:
        """Take the file; raises `StoreError` where another server has it."""
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as cause:
            raise self._unusable(cause.strerror or str(cause)) from None
        self._lock = self._locked(self._file.with_name(self._file.name + ".lock"))
        self._make_ours()
        engine = create_engine(
            self._url,
            pool_size=1,
            max_overflow=0,
            hide_parameters=True,
            connect_args={"timeout": BUSY_S},
        )
        event.listen(engine, "connect", _connecting)
        return engine

    def reader(self) -> Engine:
        """For those who read beside the writer."""
        return create_engine(
            self._url,
            pool_size=READERS,
            max_overflow=0,
            hide_parameters=True,
            isolation_level="AUTOCOMMIT",
            connect_args={"timeout": BUSY_S},
        )

    def check(self, writer: Engine) -> None:
        """Raise where the file is damaged, unless it is too large to be read through now."""
        if self._file.stat().st_size > CHECKED_BYTES:
            return
        with writer.connect() as connection:
            found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
        if found != "ok":
            raise self._damaged()

    def explained(self, error: DBAPIError) -> StoreError:
        """What an error before the first call means, and what to do."""
        code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            return self._damaged()
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return StoreError(
                f"{self._file} is locked by another program: end it, or set `database` to another"
            )
        return self._unusable(str(error.orig))

    def checkpoint(self, connection: DBAPIConnection) -> None:
        """Bring what is in the log into the file, as far as nobody is in the way."""
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").close()  # pyright: ignore

    def shrink(self, connection: DBAPIConnection) -> None:
        """Give a little of what was deleted back to the disk."""
        connection.execute("PRAGMA incremental_vacuum(256)").fetchall()  # pyright: ignore

    def close(self) -> None:
        """Let the file go."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _make_ours(self) -> None:
        """Readable to its owner alone, and with it the log that SQLite writes beside it."""
        try:
            self._file.touch(mode=0o600)
            self._file.chmod(0o600)
        except OSError as cause:
            raise self._unusable(cause.strerror or str(cause)) from None

    def _locked(self, path: Path) -> sqlite3.Connection:
        """SQLite's own lock on a file beside ours: it ends with the process, on every system."""
        try:
            lock = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
            try:
                lock.execute("PRAGMA journal_mode=OFF")  # nothing is ever written to it
                lock.execute("BEGIN EXCLUSIVE")
            except BaseException:
                lock.close()
                raise
        except sqlite3.OperationalError as cause:
            if cause.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
                raise StoreError(
                    f"{self._file} is in use by another StreamTrace server: stop that one, or set "
                    "`database` to another file, or to `memory`"
                ) from None
            raise self._unusable(str(cause)) from None
        except sqlite3.DatabaseError:
            raise self._unusable(f"{path.name} is no lock of ours: remove it") from None
        return lock

    def _damaged(self) -> StoreError:
        return StoreError(
            f"{self._file} is damaged, or no database: restore it, or move it and its -wal aside "
            "and start again with a new one"
        )

    def _unusable(self, why: str) -> StoreError:
        return StoreError(
            f"{self._file} cannot be used ({why}): set `database` to a file that this user may "
            "write, to a PostgreSQL URL, or to `memory`"
        )


def _connecting(connection: DBAPIConnection, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in CONNECTING:
        cursor.execute(pragma)
    cursor.close()
