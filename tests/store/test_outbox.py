"""What waits for webhooks: written with its event, read by cursor, accounted for; in memory too."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
import sqlalchemy

from streamtrace.events.alert_wire import AlertUpdatedEvent
from streamtrace.events.log import WireEvent
from streamtrace.store.database import Database
from streamtrace.store.location import locate
from streamtrace.store.rows import ENDED, AlertEventRow, AlertRows, Batch, EventRow
from streamtrace.store.store import Store, open_store
from streamtrace.webhooks.endpoint import Endpoint
from streamtrace.webhooks.health import Health, Parked
from streamtrace.webhooks.outbox import MemoryOutbox, Outbox, Waiting
from tests.sinks.events import ended, final, partial, started
from tests.store.databases import row, wire

ALL = Endpoint("all", "https://a.example", (), types=("call.score.v1", "call.ended.v1"))
SALES = Endpoint("sales", "https://b.example", (), types=("call.ended.v1",), lines=("sales",))


ALERT_TYPE = str(AlertUpdatedEvent.model_fields["type"].default)
ALERT_OF_NUL = '{"data":{"line":"sales\\u0000"}}'


def call(id: str, line: str | None = None) -> Batch:
    """A whole one."""
    said = [wire(event) for event in (started(1), partial(2), final(3), ended(4))]
    return Batch([row(id, ENDED, line=line)], [EventRow(id, event) for event in said])


async def numbers(outbox: Outbox, endpoint: Endpoint, cursor: int = 0) -> list[int]:
    return [one.number for one in await outbox.behind(endpoint, cursor, 99)]


async def said(outbox: Outbox, endpoint: Endpoint, cursor: int = 0) -> list[str]:
    return [one.text or "" for one in await outbox.behind(endpoint, cursor, 99)]


async def test_finals_and_ends_wait_for_those_who_want_them(database_url: str) -> None:
    async with open_store(database_url) as store:
        await store.write(call("call_0"))  # nobody wanted it then
        outbox = store.outbox
        accounts = await outbox.begin([ALL, SALES])
        assert {name: one.health.cursor for name, one in accounts.items()} == {"all": 0, "sales": 0}
        for _ in range(2):  # a commit that nobody heard of
            await store.write(call("call_1"))
        await store.write(call("call_2", "sales"))
        assert await said(outbox, ALL) == [one.to_json() for one in (final(3), ended(4))] * 2
        assert len(await numbers(outbox, SALES)) == 1
        first, second, *_ = await numbers(outbox, ALL)
        assert await numbers(outbox, ALL, first) == (await numbers(outbox, ALL))[1:]
        assert len(await outbox.behind(ALL, 0, 3)) == 3
        newest = await outbox.newest()
        assert await outbox.count(ALL, 0, newest) == 4
        assert await outbox.count(ALL, second, newest) == 2
        assert await outbox.count(SALES, 0, second) == 0
        assert await outbox.texts([second, 999]) == [
            Waiting(second, ended(4).to_json()),
            Waiting(999, None),
        ]


async def test_a_line_that_no_database_takes_as_text_is_told_all_the_same(
    database_url: str,
) -> None:
    line = "sales\0\ud800\x07"
    async with open_store(database_url) as store:
        wants = Endpoint("wants", "https://c.example", (), types=ALL.types, lines=(line,))
        await store.outbox.begin([wants])
        alert = AlertEventRow("alert_1", WireEvent(1, ALERT_TYPE, None, False, ALERT_OF_NUL))
        await store.write(call("call_1", line))
        assert len(await numbers(store.outbox, wants)) == 2
        alerts = Endpoint("alerts", "https://d.example", ())
        await store.outbox.begin([alerts])
        await store.write(Batch(alerts=AlertRows(events=[alert])))
        assert await said(store.outbox, alerts) == [ALERT_OF_NUL]


async def test_accounts_outlive_the_server_and_numbers_are_never_used_again(
    database_url: str,
) -> None:
    async with open_store(database_url) as store:
        await store.outbox.begin([ALL, SALES])
        await store.write(call("call_1"))
        before = await numbers(store.outbox, ALL)
        health = Health(before[-1], "f", failures=3, disabled="why", refuses=("call.score.v1",))
        parked = [Parked(number, 1, 12.5) for number in before]
        await store.outbox.keep(ALL, health, parked, [])
        await store.outbox.keep(ALL, health, [Parked(before[0], 2, 13.5)], [before[1]])
    async with open_store(database_url) as store:
        account = (await store.outbox.begin([ALL]))["all"]
        assert account.health == health
        assert list(account.parked) == [Parked(before[0], 2, 13.5)]
        await store.outbox.trim(health.cursor)
        assert await numbers(store.outbox, ALL) == before[:1]  # it is parked
        await store.outbox.keep(ALL, health, [], before)
        await store.outbox.trim(health.cursor)
        assert await numbers(store.outbox, ALL) == []
        await store.write(call("call_2"))
        assert min(await numbers(store.outbox, ALL)) > before[-1]
        sales = (await store.outbox.begin([SALES]))["sales"]  # forgotten, and new again
        assert sales.health.cursor == await store.outbox.newest()
    async with open_store(database_url) as store:
        await store.outbox.begin([])
        assert await store.outbox.newest() == 0
        await store.write(call("call_3"))
        assert await store.outbox.newest() == 0


async def test_what_retention_lets_go_is_known_to_be_gone(database_url: str) -> None:
    database = Database(locate(database_url))
    database.outbox.types = frozenset(ALL.types)
    database.write(call("call_1"))
    database.leave("call_1")
    assert not database.delete_some("call_1", 100)
    database.close()
    async with open_store(database_url) as store:
        await store.outbox.begin([ALL])
        assert [one.text for one in await store.outbox.behind(ALL, 0, 9)] == [None, None]


def alert_told(sequence: int, line: str, version: int = 1) -> AlertEventRow:
    """Of its text, what the outbox reads."""
    text = f'{{"id":"a-{version}","data":{{"line":"{line}"}}}}'
    return AlertEventRow("alert_1", WireEvent(sequence, ALERT_TYPE, None, False, text))


async def test_alerts_wait_by_their_line_and_what_was_never_shown_does_not(
    database_url: str,
) -> None:
    sales = Endpoint("s", "https://s.example", (), lines=("sales",))
    async with open_store(database_url) as store:
        await store.outbox.begin([sales])
        told = [alert_told(1, "sales"), alert_told(2, "support"), alert_told(3, "sales")]
        await store.write(Batch(alerts=AlertRows(events=told)))
        assert await said(store.outbox, sales) == [told[0].event.text, told[2].event.text]
        # The commit of 3 was not heard of; what came in its place is told instead.
        await store.write(Batch(alerts=AlertRows(forget=(2, {}))))
        assert await said(store.outbox, sales) == [told[0].event.text]
        again = alert_told(3, "sales", version=2)
        await store.write(Batch(alerts=AlertRows(events=[again])))
        assert await said(store.outbox, sales) == [told[0].event.text, again.event.text]


async def test_nothing_is_read_while_nothing_is_kept(tmp_path: Path) -> None:
    async with open_store(f"sqlite:///{tmp_path}/events.db") as store:
        assert store.outbox.problem is None
        store.journal.problem = "disk full"
        assert store.outbox.problem == "disk full"
        store.journal.problem = None


async def test_a_database_without_webhooks_gets_them(tmp_path: Path) -> None:
    file = tmp_path / "events.db"
    url = f"sqlite:///{file}"
    async with open_store(url) as store:
        await store.write(call("call_1"))
    with sqlite3.connect(file) as older:
        for table in ("webhook_outbox", "webhooks", "webhook_parked"):
            older.execute(f"DROP TABLE {table}")
        older.execute("UPDATE streamtrace_schema SET version = 2")
    older.close()
    async with open_store(url) as store:
        await store.outbox.begin([ALL])
        await store.write(call("call_2"))
        assert len(await numbers(store.outbox, ALL)) == 2
        assert await store.call("call_1") is not None


async def test_in_memory_it_is_the_same(tmp_path: Path) -> None:
    async def filled(outbox: MemoryOutbox | Store) -> list[list[int]]:
        given = outbox.outbox if isinstance(outbox, Store) else outbox
        await given.begin([ALL, SALES])
        for id, line in (("call_1", None), ("call_2", "sales")):
            if isinstance(outbox, Store):
                await outbox.write(call(id, line))
            else:
                outbox.put(wire(final(3)), line)
                outbox.put(wire(ended(4)), line)
        seen = [await numbers(given, one) for one in (ALL, SALES)]
        seen.append([await given.newest(), await given.count(SALES, 0, 4)])
        await given.keep(ALL, Health(3), [Parked(1, 1, 1.0)], [])
        await given.trim(3)
        seen.append([one.number for one in await given.texts([1, 2]) if one.text is not None])
        await given.keep(ALL, Health(3), [], [1])
        await given.trim(3)
        return [*seen, await numbers(given, ALL)]

    async with open_store(f"sqlite:///{tmp_path}/events.db") as store:
        assert await filled(store) == await filled(MemoryOutbox())


async def test_a_memory_that_is_full_forgets_the_oldest() -> None:
    outbox = MemoryOutbox()
    event = wire(ended(4))
    for _ in range(3 * outbox.most):
        outbox.put(event, None)
    assert await outbox.count(ALL, 0, await outbox.newest()) == 2 * outbox.most


def test_who_wants_nothing_costs_nothing(tmp_path: Path) -> None:
    database = Database(locate(f"sqlite:///{tmp_path}/events.db"))
    database.write(call("call_1"))
    count = sqlalchemy.text("SELECT count(*) FROM webhook_outbox")
    assert database.read(lambda connection: connection.execute(count).scalar()) == 0
    database.close()


@pytest.mark.parametrize("most", [0, 1])
async def test_no_more_than_asked_for(most: int) -> None:
    outbox = MemoryOutbox()
    await outbox.begin([ALL])
    for _ in range(3):
        outbox.put(wire(ended(4)), None)
    assert len(await outbox.behind(ALL, 0, most)) == most
