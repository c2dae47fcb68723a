"""The store of a running server: events through it and back, connections lost, calls gone."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy

from streamtrace.errors import StoreError
from streamtrace.events.wire import EVENT, StreamGapEvent
from streamtrace.store.location import default_file, locate
from streamtrace.store.rows import ENDED, Batch, EventRow
from streamtrace.store.store import open_store
from tests.sinks.events import ended, partial, started
from tests.store.databases import Told, emptied, row, wire


def now() -> datetime:
    return datetime(2026, 1, 2, tzinfo=UTC)


async def test_what_was_shown_is_there_for_the_next_server(database_url: str) -> None:
    call = Told()
    async with open_store(database_url) as store:
        for number in range(1, 30):
            event = wire(started() if number == 1 else partial(number))
            first = row() if number == 1 else None
            store.journal.put(call, event, first, lambda event=event: call.show(event))
        await store.journal.flushed()
        assert call.shown == list(range(1, 30))
        history = store.history("call_1", "CA1", now)
        assert await history.after(5, 20, 4) == call.log.after(5, 4)
    async with open_store(database_url) as store:
        assert await store.live_calls() == [row()]
        story, size = await store.story("call_1")
        assert [event.number for event in story] == [1, 29]
        assert size == sum(len(event.text) for event in call.log.after(0, 100))


async def test_a_reader_of_a_call_that_was_let_go_is_told_of_the_gap(database_url: str) -> None:
    events = [EventRow("call_1", wire(started(1))), EventRow("call_1", wire(ended(2)))]
    async with open_store(database_url) as store:
        await store.write(Batch([row(state=ENDED, last_sequence=9)], events))
        history = store.history("call_1", "CA1", now)
        assert [event.number for event in await history.after(0, 9, 10)] == [1, 2]
        [told] = await history.after(2, 9, 10)
        gap = EVENT.validate_json(told.text)
        assert isinstance(gap, StreamGapEvent)
        assert (int(gap.data.first), int(gap.data.last), gap.number) == (3, 9, 9)
        assert gap.data.external_id == "CA1"


async def test_a_connection_that_is_lost_is_made_anew(postgres_url: str) -> None:
    url, call = emptied(postgres_url), Told()
    async with open_store(url) as store:
        for number in range(1, 4):
            cut_off(url)
            event = wire(started(number))
            store.journal.put(call, event, row(), lambda event=event: call.show(event))
            await store.journal.flushed()
            assert store.journal.problem is None
        assert [event.number for event in await store.events("call_1", 0, until=9, limit=9)] == [
            1,
            2,
            3,
        ]


def cut_off(url: str) -> None:
    """The server's connections."""
    engine = sqlalchemy.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'streamtrace'"
        )
    engine.dispose()


def test_where_the_file_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert default_file() == tmp_path / "streamtrace" / "streamtrace.db"
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", "/home/me")
    assert default_file() == Path("/home/me/.local/state/streamtrace/streamtrace.db")
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/streamtrace:/else")
    assert str(locate("sqlite")) == "/var/lib/streamtrace/streamtrace.db"
    monkeypatch.chdir(tmp_path)
    assert locate("sqlite:///here.db").file == tmp_path / "here.db"
    assert locate("sqlite:////there.db").file == Path("/there.db")


@pytest.mark.parametrize(
    ("database", "words"),
    [
        ("nothing", "no URL"),
        ("sqlite:///:memory:", "wants a file"),
        ("postgresql+mysterious://h/x", "want sqlite"),
    ],
)
async def test_what_names_no_database(database: str, words: str) -> None:
    with pytest.raises(StoreError, match=words):
        async with open_store(database):
            pass


def test_a_password_is_not_told() -> None:
    assert str(locate("postgresql://me:secret@host/name")).endswith("me:***@host/name")
    told = str(locate("postgresql://me@host/name?password=secret&sslmode=require"))
    assert told.endswith("me@host/name")
