"""A disk that is full: calls tell of their alerts, people wait, and nothing is decided twice."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from streamtrace.server import alert_desk
from streamtrace.store.database import Database
from streamtrace.store.journal import Journal
from streamtrace.store.location import locate
from streamtrace.store.rows import Batch
from streamtrace.store.store import Store
from streamtrace.store.thread import JobThread
from tests.alerts import scores
from tests.server.alert_calls import MINUTE, Desk, desk
from tests.server.test_full_disk import full_disk, until

SYNTHETIC = 5.0


async def kept_again(server: Desk) -> None:
    store = server.state.store
    assert store is not None

    async def is_kept() -> bool:
        return store.journal.problem is None

    await until(is_kept)


async def test_calls_go_on_telling_and_people_are_refused(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/events.db"
    async with desk(database) as server:
        first = await server.alarming()
        said = server.call()
        whole = scores.call([SYNTHETIC] * MINUTE)
        with full_disk(tmp_path):
            refused = await server.do(first, "ack", 1)
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
            assert (await server.do(first, "ack", 1)).status_code == 503
            said.say(whole)  # opened and over while nothing is kept
            [second] = [e["subject"] for e in await server.feed() if e["subject"] != first][:1]
            assert (await server.get(f"/v1/alerts/{second}"))["is_call_over"]
            assert (await server.get(f"/v1/alerts/{first}"))["version"] == 1
            listed = (await server.get("/v1/alerts"))["alerts"]
            assert {alert["id"] for alert in listed} == {first, second}
        await kept_again(server)
        assert (await server.do(first, "ack", 1)).status_code == 200
        version = (await server.get(f"/v1/alerts/{second}"))["version"]
        assert (await server.do(second, "ack", version)).status_code == 200
        told = await server.feed()
        trails = [await server.get(f"/v1/alerts/{each}/audit") for each in (first, second)]
    async with desk(database) as server:
        again = await server.feed()
        assert again[: len(told)] == told
        assert [int(event["sequence"]) for event in again] == list(range(1, len(again) + 1))
        entries = (await server.get(f"/v1/alerts/{first}/audit"))["entries"]
        assert entries[:2] == trails[0]["entries"]
        assert await server.get(f"/v1/alerts/{second}/audit") == trails[1]
        for trail in (entries, trails[1]["entries"]):
            assert [entry["version"] for entry in trail] == list(range(1, len(trail) + 1))


class Slow(Database):
    """A disk that a test stops; what waited for it is written all the same."""

    runs = threading.Event()

    def write(self, batch: Batch) -> None:
        assert self.runs.wait(10)
        super().write(batch)


async def test_what_was_kept_unheard_is_forgotten(tmp_path: Path) -> None:
    database = Slow(locate(f"sqlite:///{tmp_path}/events.db"))
    database.runs.set()
    store, thread = Store(database), JobThread("test-writer")
    store.journal = Journal(database.write, thread, patience_s=0.1, retry_s=0.01)
    async with store.journal, desk("sqlite", store=store) as server:
        alert_id = await server.alarming()
        database.runs.clear()
        assert (await server.do(alert_id, "ack", 1)).status_code == 503
        assert (await server.get(f"/v1/alerts/{alert_id}"))["version"] == 1
        database.runs.set()  # and now that acknowledgement is written, and nobody knows
        await kept_again(server)
        kept = await store.alerts.find(alert_id)
        assert kept is not None
        assert kept.version == 1
        assert len(await store.alerts.audit(alert_id)) == 1
        assert await store.alerts.newest_sequence() == 1
        assert (await server.do(alert_id, "assign", 1, assignee="ada")).status_code == 200
        entries = (await server.get(f"/v1/alerts/{alert_id}/audit"))["entries"]
        assert [entry["action"] for entry in entries] == ["open", "assign"]
    await store.close()
    thread.close()


async def test_what_waits_for_a_disk_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alert_desk, "MOST_OWED", 3)
    database = f"sqlite:///{tmp_path}/events.db"
    async with desk(database) as server:
        await server.alarming()
        with full_disk(tmp_path):
            ids = [await server.alarming() for _ in range(5)]
            await until(lambda: refused(server, ids[-1]))
        await kept_again(server)
        last = await server.do(ids[-1], "ack", 1)
        assert last.status_code == 200
        kept = {alert["id"] for alert in (await server.get("/v1/alerts"))["alerts"]}
        assert set(ids[-2:]) < kept


async def refused(server: Desk, alert_id: str) -> bool:
    return (await server.do(alert_id, "ack", 9)).status_code == 503
