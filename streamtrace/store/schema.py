"""The tables, and whether a database has them: ours, a newer one, or somebody else's.

Alerts have their tables here too. Their feed has one sequence of its own (`alert_events`), an alert
has a version that every transition raises (`If-Match`), and transitions are only ever added.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    func,
    inspect,
    select,
)

from streamtrace.errors import StoreError

VERSION = 2
BEFORE_ALERTS = 1  # it had their tables in another form, and never wrote to them

METADATA = MetaData()

SCHEMA = Table("streamtrace_schema", METADATA, Column("version", Integer, nullable=False))

CALLS = Table(
    "calls",
    METADATA,
    Column("id", Text, primary_key=True),  # sorts by time
    Column("external_id", Text),
    Column("line", Text),
    Column("protocol", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("started", Text, nullable=False),
    Column("ended", Text),
    Column("reason", Text),
    Column("last_sequence", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("legs", Text, nullable=False),
    Index("calls_external_id", "external_id", "id"),
    Index("calls_state", "state", "id"),
)

EVENTS = Table(
    "events",
    METADATA,
    Column("call_id", Text, primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("type", Text, nullable=False),
    Column("leg", Text),
    Column("is_final", Boolean, nullable=False),
    Column("text", Text, nullable=False),  # JSON, as it was shown
)

ALERTS = Table(
    "alerts",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("call_id", Text, nullable=False, index=True),
    Column("version", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("line", Text),
    Column("leg", Text, nullable=False),
    Column("is_call_over", Boolean, nullable=False),
    Column("text", Text, nullable=False),  # JSON: the alert as it is now
    Index("alerts_state", "state", "id"),
)

ALERT_TRANSITIONS = Table(
    "alert_transitions",
    METADATA,
    Column("alert_id", Text, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),  # that it led to
    Column("at", Text, nullable=False),
    Column("actor", Text),
    Column("text", Text, nullable=False),  # JSON: what was done, and the note to it
)

ALERT_EVENTS = Table(
    "alert_events",
    METADATA,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("alert_id", Text, nullable=False, index=True),
    Column("type", Text, nullable=False),
    Column("text", Text, nullable=False),
)


def make_or_check(connection: Connection, name: str, *, alone: bool) -> None:
    """Make the tables in an empty database; raise `StoreError` in one that is not ours.

    Where we are `alone`, as in a file, any other table means that it is somebody else's.
    """
    there = set(inspect(connection).get_table_names())
    if SCHEMA.name in there:
        _check_version(connection, name)
        return
    foreign = there if alone else there & set(METADATA.tables)
    if foreign:
        raise StoreError(
            f"{name} is no database of StreamTrace's (it has a table `{min(foreign)}`): "
            "set `database` to another"
        )
    METADATA.create_all(connection)
    connection.execute(SCHEMA.insert(), {"version": VERSION})


def _check_version(connection: Connection, name: str) -> None:
    version = connection.execute(select(func.max(SCHEMA.c.version))).scalar()
    if version == VERSION:
        return
    if version == BEFORE_ALERTS:
        ours = [ALERTS, ALERT_TRANSITIONS, ALERT_EVENTS]
        METADATA.drop_all(connection, ours)
        METADATA.create_all(connection, ours)
        connection.execute(SCHEMA.update().values(version=VERSION))
        return
    if version is not None and version > VERSION:
        raise StoreError(
            f"{name} was written by a newer StreamTrace (schema {version}, this one knows "
            f"{VERSION}): update StreamTrace, or set `database` to another"
        )
    raise StoreError(
        f"{name} says it has schema {version}, which StreamTrace never had: "
        "set `database` to another"
    )
