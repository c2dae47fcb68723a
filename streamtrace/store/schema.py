"""The tables, and whether a database has them: ours, a newer one, or somebody else's.

Alerts have their tables here too. Their feed has one sequence of its own (`alert_events`), an alert
has a version that every transition raises (`If-Match`), and transitions are only ever added.
"""

from __future__ import annotations

import secrets

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Float,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    func,
    inspect,
    select,
)

from streamtrace.errors import StoreError

VERSION = 3
BEFORE_ALERTS = 1  # it had their tables in another form, and never wrote to them
BEFORE_WEBHOOKS = 2  # it had no tables for them

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
BEFORE_ALL = 0  # the cursor in front of the feed's first event; its row names the feed

# What may be told to webhooks: which event, in the order in which they were kept. A number is never
# used again, for cursors stay behind it.
OUTBOX = Table(
    "webhook_outbox",
    METADATA,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("subject", Text, nullable=False),  # a call's id, or `alerts`
    Column("sequence", BigInteger, nullable=False),
    Column("type", Text, nullable=False),
    Column("line", Text),
    UniqueConstraint("subject", "sequence"),
    sqlite_autoincrement=True,
)

WEBHOOKS = Table(
    "webhooks",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("cursor", BigInteger, nullable=False),
    Column("text", Text, nullable=False),  # JSON: how it fares
)

PARKED = Table(
    "webhook_parked",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("tries", Integer, nullable=False),
    Column("due_s", Float, nullable=False),
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


def name_feed(connection: Connection) -> None:
    """Whose sequence the alerts' feed has, for as long as the database lives.

    A row that is no event, where cursors begin: nobody is ever told it, and no table is changed.
    """
    there = ALERT_EVENTS.c.sequence == BEFORE_ALL
    if connection.execute(select(ALERT_EVENTS.c.sequence).where(there)).first() is None:
        named = {"sequence": BEFORE_ALL, "alert_id": "", "type": "feed"}
        connection.execute(ALERT_EVENTS.insert(), named | {"text": secrets.token_hex(8)})


def _check_version(connection: Connection, name: str) -> None:
    version = connection.execute(select(func.max(SCHEMA.c.version))).scalar()
    if version == VERSION:
        return
    if version in (BEFORE_ALERTS, BEFORE_WEBHOOKS):
        if version == BEFORE_ALERTS:
            METADATA.drop_all(connection, [ALERTS, ALERT_TRANSITIONS, ALERT_EVENTS])
        METADATA.create_all(connection)
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
