"""What a server keeps: told again after a restart, whole however long, and let go in time."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection

from streamtrace.errors import StoreError
from streamtrace.store.database import Database
from streamtrace.store.location import locate
from streamtrace.store.retention import Retention, Sweeper
from streamtrace.store.rows import ENDED, AlertRows, Batch, EventRow
from streamtrace.store.thread import JobThread
from tests.fakes import FakeClock
from tests.live_server import live_server
from tests.server.peers import closed_with, http, kinds, messages, place_pcm, refused_with, ws
from tests.sinks.events import ended, started
from tests.store.databases import row, wire
from tests.store.test_alerts import alert


async def all_pages(client: httpx.AsyncClient, call_id: str, limit: int) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    after: str | None = "0"
    while after is not None:
        given = {"after": after, "limit": limit}
        page = (await client.get(f"/v1/calls/{call_id}/events", params=given)).json()
        events += page["events"]
        after = page["next"]
    return events


@pytest.mark.parametrize("ingest_workers", [0, 1], indirect=True, ids=["one", "worker"])
async def test_a_call_is_told_by_the_next_server(tmp_path: Path, ingest_workers: int) -> None:
    database = f"sqlite:///{tmp_path}/events.db"
    given = {"database": database, "ingest_workers": ingest_workers}
    async with live_server(**given, events_kept_per_call=16) as url, http(url) as client:
        long = await place_pcm(url, "kept", seconds=12)
        call_id = long[0]["subject"]
        assert len(long) > 20
        assert await all_pages(client, call_id, 7) == long  # older ones from the store
        listed = (await client.get("/v1/calls")).json()
        assert (await client.get("/readyz")).json()["store"] == {"status": "keeping"}
    async with live_server(**given) as url, http(url) as client:
        assert (await client.get("/v1/calls")).json() == listed
        assert (await client.get(f"/v1/calls/{call_id}")).json() == listed["calls"][0]
        assert await all_pages(client, call_id, 1_000) == long
        path = f"/v1/calls/{call_id}/events"
        async with ws(url, f"{path}?after={long[4]['sequence']}") as stream:
            assert await messages(stream) == long[5:]
            assert (await closed_with(stream))[0] == 1000
        headers = {"accept": "text/event-stream", "last-event-id": long[-2]["sequence"]}
        told = (await client.get(path, headers=headers)).text
        assert told.startswith(f"id: {long[-1]['sequence']}\n")
        assert (await refused_with(url, "/v1/calls/call_0/events")).status_code == 404


async def test_old_and_new_calls_are_one_list(tmp_path: Path) -> None:
    async with (
        live_server(database=f"sqlite:///{tmp_path}/events.db", ended_calls_kept=2) as url,
        http(url) as client,
    ):
        for number in range(5):
            await place_pcm(url, f"list-{number % 2}", seconds=0.1)
        whole = (await client.get("/v1/calls")).json()["calls"]
        assert [call["external_id"][-1] for call in whole] == ["0", "1", "0", "1", "0"]
        paged: list[Any] = []
        given: dict[str, Any] = {"limit": 2}
        while given.get("after", "") is not None:
            page = (await client.get("/v1/calls", params=given)).json()
            paged += page["calls"]
            given["after"] = page["next"]
        assert paged == whole
        odd = {"external_id": "list-1", "state": "ended"}
        assert (await client.get("/v1/calls", params=odd)).json()["calls"] == whole[1::2]
        assert (await client.get("/v1/calls?state=live")).json()["calls"] == []


async def test_a_reader_that_comes_late_to_a_live_call_gets_all_of_it(tmp_path: Path) -> None:
    async with (
        live_server(database=f"sqlite:///{tmp_path}/events.db", events_kept_per_call=16) as url,
        ws(url, "/v1/ingest/pcm?external_id=late&events=1") as call,
    ):
        for _ in range(25):
            await call.send(bytes(2 * 7_680))
        first, *_ = [json.loads(await call.recv()) for _ in range(24)]
        async with ws(url, f"/v1/calls/{first['subject']}/events") as stream:
            early = [json.loads(await stream.recv()) for _ in range(26)]
            assert [int(event["sequence"]) for event in early] == list(range(1, 27))
            await ended_by(call)
            assert kinds(await messages(stream))[-2:] == ["score", "ended"]


async def ended_by(call: ClientConnection) -> None:
    await call.close()


async def test_two_servers_do_not_share_a_file(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/events.db"
    async with live_server(database=database):
        with pytest.raises(ExceptionGroup) as refused:
            async with live_server(database=database):
                pass
    assert refused.group_contains(StoreError, match="in use by another StreamTrace server")


async def test_ended_calls_go_by_age_and_size_and_live_ones_stay(tmp_path: Path) -> None:
    database = Database(locate(f"sqlite:///{tmp_path}/events.db"))
    thread, clock = JobThread("test-writer"), FakeClock()  # it is the second of January
    old, young = "2025-12-01T00:00:00.000Z", "2026-01-01T00:00:00.000Z"
    calls = [
        row("call_1", ENDED, ended=old, bytes=700_000),
        row("call_2"),
        *(row(f"call_{number}", ENDED, ended=young, bytes=700_000) for number in range(3, 7)),
    ]
    events = [wire(started(number)) for number in range(1, 450)] + [wire(ended(450))]
    alerts = AlertRows([alert(number, state="resolved") for number in (1, 2, 5)])
    told = [EventRow(one.id, event) for one in calls for event in events]
    database.write(Batch(calls, told, alerts))
    forgotten: list[str] = []

    async def sweep(days: int | None, megabytes: int | None) -> int:
        retention = Retention(days, megabytes)
        return await Sweeper(database, retention, thread.submit, clock.utc, forget).sweep()

    async def forget(alert_id: str) -> None:
        assert alert_id in [of for one in calls for of in database.alerts_of(one.id)]  # not yet
        forgotten.append(alert_id)

    def kept() -> list[str]:
        return [
            one.id[-1] for one in calls if database.events_after(one.id, 0, limit=1_000) == events
        ]

    try:
        assert await sweep(None, None) == 0
        assert await sweep(30, None) == 1
        assert kept() == ["2", "3", "4", "5", "6"]
        assert await sweep(30, 2) == 2
        assert kept() == ["2", "5", "6"]
        database.leave("call_5")  # and then that server was killed
        assert await sweep(30, 2) == 1
        assert kept() == ["2", "6"]
        assert database.leaving() == []
        assert forgotten == ["alert_1_caller", "alert_5_caller"]
        assert database.alerts_of("call_5") == []
        assert [one.id for one in database.live_calls()] == ["call_2"]
        assert database.events_after("call_1", 0, limit=1) == []
    finally:
        await asyncio.to_thread(database.close)
        thread.close()
