"""Alerts in the database: found, audited, told in order, and let go with their call."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime

import sqlalchemy

from streamtrace.events.alert_wire import feed_heartbeat
from streamtrace.events.log import WireEvent
from streamtrace.store.alerts import AlertHistory
from streamtrace.store.database import Database
from streamtrace.store.location import locate
from streamtrace.store.rows import (
    ENDED,
    AlertEventRow,
    AlertRow,
    AlertRows,
    Batch,
    TransitionRow,
)
from streamtrace.store.store import open_store
from tests.store.databases import row

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def alert(number: int, version: int = 1, *, state: str = "new", line: str = "sales") -> AlertRow:
    return AlertRow(
        id=f"alert_{number}_caller",
        call_id=f"call_{number}",
        version=version,
        state=state,
        severity="low",
        line=line,
        leg="caller",
        is_call_over=state != "new",
        text=json.dumps({"version": version}),
    )


def transition(number: int, version: int) -> TransitionRow:
    return TransitionRow(f"alert_{number}_caller", version, "2026-01-02", "ada", "{}")


def event(number: int, sequence: int) -> AlertEventRow:
    told = feed_heartbeat(sequence=sequence, time=NOW, event_id=f"e-{sequence}")
    return AlertEventRow(f"alert_{number}_caller", WireEvent.of(told))


async def test_alerts_are_found_and_what_is_written_again_replaces(database_url: str) -> None:
    rows = AlertRows(
        [alert(1), alert(2, line="support"), alert(3)],
        [transition(n, 1) for n in (1, 2, 3)],
        [event(n, n) for n in (1, 2, 3)],
    )
    async with open_store(database_url) as store:
        for _ in range(2):  # a commit that nobody heard of
            await store.write(Batch(alerts=rows))
        acted = AlertRows([alert(1, 2, state="acknowledged")], [transition(1, 2)], [event(1, 4)])
        await store.write(Batch(alerts=acted))
    async with open_store(database_url) as store:
        assert await store.alerts.find("alert_1_caller") == acted.alerts[0]
        assert await store.alerts.find("alert_9_caller") is None
        assert [one.version for one in await store.alerts.audit("alert_1_caller")] == [1, 2]
        assert await store.alerts.newest_sequence() == 4
        assert [one.id for one in await store.alerts.of_live_calls()] == [
            "alert_2_caller",
            "alert_3_caller",
        ]

        async def listed(before: str | None = None, **equal: str) -> list[str]:
            found = await store.alerts.newest_first(
                states=["new", "escalated"], before=before, limit=2, **equal
            )
            return [one.id[6] for one in found]

        assert await listed() == ["3", "2"]
        assert await listed("alert_3_caller") == ["2"]
        assert await listed(line="support") == ["2"]
        # What no database takes as text is not there, which is no failure.
        assert await listed("\0", line="\0") == []
        assert await store.alerts.find("alert_\0") is None
        assert await store.alerts.audit("alert_\0") == []
        # What was never shown is gone again.
        back = AlertRows([alert(1)], forget=(3, {"alert_1_caller": 1}))
        await store.write(Batch(alerts=back))
        assert await store.alerts.find("alert_1_caller") == alert(1)
        assert [one.version for one in await store.alerts.audit("alert_1_caller")] == [1]
        assert [one.number for one in await store.alerts.events(0, 9, 9)] == [1, 2, 3]


async def test_alerts_go_with_their_call_and_readers_are_told_of_the_gap(
    database_url: str,
) -> None:
    told = [event(1, 1), event(2, 2), event(1, 3), event(2, 4), event(1, 5)]
    both = [alert(1, 3), alert(2, 2)]
    written = Batch(
        [row("call_1", ENDED), row("call_2", ENDED)],
        alerts=AlertRows(both, [transition(1, 3), transition(2, 2)], told),
    )
    database = Database(locate(database_url))
    try:
        database.write(written)
        database.leave("call_1")
        assert not database.delete_some("call_1", 200)
    finally:
        await asyncio.to_thread(database.close)
    async with open_store(database_url) as store:
        assert await store.alerts.find("alert_1_caller") is None
        assert await store.alerts.audit("alert_1_caller") == []
        assert await store.alerts.audit("alert_2_caller") != []
        assert await store.alerts.newest_sequence() == 5  # it never goes back
        history = AlertHistory(store.alerts, lambda: NOW)
        read = await history.after(0, 5, 10)
        assert [(one.number, one.type.split(".")[1]) for one in read] == [
            (1, "gap"),
            (2, "heartbeat"),
            (3, "gap"),
            (4, "heartbeat"),
            (5, "heartbeat"),
        ]
        [gap] = await history.after(5, 9, 10)
        assert json.loads(gap.text)["data"] == {
            "external_id": None,
            "from": f"{6:020d}",
            "to": f"{9:020d}",
        }


async def test_the_feed_has_a_name_for_as_long_as_its_database_lives(database_url: str) -> None:
    """One from before it had any is given one; the row of it is no event."""
    async with open_store(database_url) as store:
        name = await store.alerts.feed()
        assert await store.alerts.newest_sequence() == 0
        await store.write(Batch([row("call_1", ENDED)], alerts=AlertRows([alert(1)])))
        some = AlertRows(events=[event(1, 1), event(1, 2)], forget=(0, {}))
        await store.write(Batch(alerts=some))
    database = Database(locate(database_url))
    try:
        database.leave("call_1")
        assert not database.delete_some("call_1", 200)
    finally:
        await asyncio.to_thread(database.close)
    async with open_store(database_url) as store:
        assert len(name) == 16
        assert await store.alerts.feed() == name
        assert [one.number for one in await store.alerts.events(0, 9, 9)] == [2]
    engine = sqlalchemy.create_engine(locate(database_url).url)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("DELETE FROM alert_events WHERE sequence = 0"))
    engine.dispose()
    async with open_store(database_url) as store:
        assert await store.alerts.feed() not in ("", name)
        assert await store.alerts.newest_sequence() == 2


async def test_a_database_from_before_alerts_takes_them(database_url: str) -> None:
    async with open_store(database_url) as store:
        await store.write(Batch([row("call_1", ENDED)]))
    engine = sqlalchemy.create_engine(locate(database_url).url)
    with engine.begin() as connection:
        for statement in (
            "UPDATE streamtrace_schema SET version = 1",
            "DROP TABLE alerts",
            "CREATE TABLE alerts (id TEXT PRIMARY KEY, call_id TEXT, version INTEGER, text TEXT)",
        ):
            connection.execute(sqlalchemy.text(statement))
    engine.dispose()
    for _ in range(2):
        async with open_store(database_url) as store:
            await store.write(Batch(alerts=AlertRows([alert(1)])))
            assert await store.alerts.find("alert_1_caller") == alert(1)
            assert await store.call("call_1") == row("call_1", ENDED)
