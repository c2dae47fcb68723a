"""The database: what was written is read back, and what is no database of ours is refused."""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy

from streamtrace.errors import StoreError
from streamtrace.store.database import Database
from streamtrace.store.location import locate
from streamtrace.store.rows import ENDED, LIVE, Batch, EventRow, RowRefused
from streamtrace.values import Leg
from tests.sinks.events import ended, final, partial, started
from tests.store.databases import row, wire


@contextmanager
def opened(url: str) -> Iterator[Database]:
    database = Database(locate(url))
    try:
        yield database
    finally:
        database.close()


STORY = [
    wire(started(1)),
    wire(partial(2)),
    wire(partial(3, Leg.CALLEE)),
    wire(partial(4)),
    wire(final(6)),
    wire(ended(7)),
]


def story(call_id: str = "call_1") -> Batch:
    return Batch([row(call_id)], [EventRow(call_id, event) for event in STORY])


def test_what_was_written_is_there_when_it_is_opened_again(database_url: str) -> None:
    with opened(database_url) as database:
        database.write(story())
        database.write(Batch([row("call_2", ENDED, last_sequence=9, legs='[{"x":1}]')]))
    with opened(database_url) as database:
        assert database.events_after("call_1", 0, limit=10) == STORY
        assert database.events_after("call_1", 2, until=6, limit=10) == STORY[2:5]
        assert database.events_after("call_1", 2, limit=2) == STORY[2:4]
        assert database.events_after("call_0", 0, limit=2) == []
        assert database.live_calls() == [row("call_1")]
        assert database.call("call_1") is None  # it has not ended
        assert database.call("call_2") == row("call_2", ENDED, last_sequence=9, legs='[{"x":1}]')


def test_a_batch_may_come_twice(database_url: str) -> None:
    with opened(database_url) as database:
        database.write(story())
        database.write(Batch([row("call_1", ENDED)], story().events))
        assert database.events_after("call_1", 0, limit=10) == STORY
        assert database.call("call_1") == row("call_1", ENDED)


def test_a_batch_is_kept_as_a_whole_or_not(database_url: str) -> None:
    broken = dataclasses.replace(row("call_2"), protocol=None)  # type: ignore[arg-type]
    with opened(database_url) as database:
        with pytest.raises(RowRefused):
            database.write(Batch([row("call_1"), broken], story().events))
        assert database.events_after("call_1", 0, limit=10) == []
        assert database.live_calls() == []
        database.write(story())
        assert len(database.live_calls()) == 1


def test_names_that_no_database_takes_are_made_plain(database_url: str) -> None:
    odd = row("call_1", ENDED, external_id="a\0b\ud800", line="\U0001f600")
    with opened(database_url) as database:
        database.write(Batch([odd]))
        assert database.call("call_1") == row(
            "call_1", ENDED, external_id="a?b?", line="\U0001f600"
        )
        found = database.calls(external_id=odd.external_id, before=None, limit=9)
        assert [one.id for one in found] == ["call_1"]
        assert database.call("call_\0") is None  # not there, which is no failure
        assert database.calls(external_id=None, before="\0", limit=9) == []


def test_calls_are_found_newest_first(database_url: str) -> None:
    calls = [row(f"call_{n}", ENDED, external_id="odd" if n % 2 else "even") for n in range(6)]
    with opened(database_url) as database:
        database.write(Batch([*calls, row("call_9", LIVE)]))

        def ids(**wanted: str | None) -> list[str]:
            given = {"external_id": None, "before": None} | wanted
            return [one.id[-1] for one in database.calls(**given, limit=3)]  # type: ignore[arg-type]

        assert ids() == ["5", "4", "3"]
        assert ids(before="call_3") == ["2", "1", "0"]
        assert ids(external_id="odd", before="call_5") == ["3", "1"]


def test_a_story_leaves_out_what_later_scores_say_anew(database_url: str) -> None:
    with opened(database_url) as database:
        database.write(story())
        assert [event.number for event in database.story("call_1")] == [1, 3, 6, 7]
        assert database.text_bytes("call_1") == sum(len(event.text) for event in STORY)


def test_a_call_goes_part_by_part(database_url: str) -> None:
    with opened(database_url) as database:
        database.write(Batch([row("call_1", ENDED)], story().events))
        database.leave("call_1")
        assert database.call("call_1") is None
        assert database.leaving() == ["call_1"]
        assert database.delete_some("call_1", 4)
        assert database.events_after("call_1", 0, limit=10) == STORY[4:]
        assert not database.delete_some("call_1", 4)
        assert (database.leaving(), database.events_after("call_1", 0, limit=9)) == ([], [])
        database.shrink()


def test_a_second_server_is_refused(database_url: str) -> None:
    with opened(database_url), pytest.raises(StoreError, match="in use by another StreamTrace"):
        Database(locate(database_url))
    with opened(database_url):
        pass


def test_a_newer_or_unknown_schema_is_refused(database_url: str) -> None:
    for version, word in ((99, "newer StreamTrace"), (-1, "never had")):
        with opened(database_url):
            pass
        change(database_url, f"UPDATE streamtrace_schema SET version = {version}")
        with pytest.raises(StoreError, match=word) as refused:
            Database(locate(database_url))
        assert "secret" not in str(refused.value)
        change(database_url, "UPDATE streamtrace_schema SET version = 1")


def test_tables_of_somebody_else_are_left_alone(database_url: str) -> None:
    change(database_url, "CREATE TABLE calls (number INTEGER)")
    with pytest.raises(StoreError, match="no database of StreamTrace's"):
        Database(locate(database_url))
    change(database_url, "INSERT INTO calls (number) VALUES (7)")


def change(url: str, statement: str) -> None:
    engine = sqlalchemy.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        connection.exec_driver_sql(statement)
    engine.dispose()


@pytest.mark.parametrize("kept_bytes", [0, 5_000])
def test_a_damaged_file_is_told_with_its_name(tmp_path: Path, kept_bytes: int) -> None:
    path = tmp_path / "events.db"
    with opened(f"sqlite:///{path}") as database:
        for number in range(50):
            database.write(story(f"call_{number}"))
    content = path.read_bytes()
    path.write_bytes(content[:kept_bytes] + b"\xa5" * (len(content) - kept_bytes))
    with pytest.raises(StoreError, match="damaged") as refused:
        Database(locate(f"sqlite:///{path}"))
    assert str(path) in str(refused.value)
    assert refused.value.exit_code == 2


def test_a_file_that_another_program_holds(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    with opened(f"sqlite:///{path}"):
        pass
    other = sqlite3.connect(path)
    other.execute("PRAGMA locking_mode=EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreError, match=r"events\.db is locked by another program"):
        Database(locate(f"sqlite:///{path}"))
    other.close()
    with opened(f"sqlite:///{path}"):
        pass


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="set `database` to a file that this user may"):
        Database(locate(f"sqlite:///{tmp_path}/file/events.db"))


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(StoreError, match="cannot be used") as refused:
        Database(locate("postgresql://me:secret@127.0.0.1:1/none"))
    assert "secret" not in str(refused.value)


def test_it_is_readable_to_its_owner_alone(tmp_path: Path) -> None:
    with opened(f"sqlite:///{tmp_path}/deep/events.db") as database:
        database.write(story())
        files = {path.name: path for path in (tmp_path / "deep").iterdir()}
        for name in ("events.db", "events.db-wal"):
            assert files[name].stat().st_mode & 0o077 == 0
    assert (tmp_path / "deep").stat().st_mode & 0o077 == 0
    assert {path.name for path in (tmp_path / "deep").iterdir()} == {"events.db", "events.db.lock"}
