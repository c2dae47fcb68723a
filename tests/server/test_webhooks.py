"""Webhooks of a whole server: real events over real HTTP, through restarts and kills."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from standardwebhooks import Webhook

from benchmarks.killed_server import KilledServer
from streamtrace.errors import SettingsError
from tests.live_server import live_server
from tests.server.alert_calls import Desk, desk
from tests.server.peers import http, place_pcm, ws
from tests.webhook_receiver import (
    LOOPBACK,
    NEWER,
    SECRET,
    Receiver,
    http as answer,
    receiver,
    table,
)

CALLS = ["call.*"]


@pytest_asyncio.fixture
async def one() -> AsyncIterator[Receiver]:
    async with receiver() as given:
        yield given


def settings(one: Receiver, **given: Any) -> dict[str, Any]:
    return {"webhooks": {"siem": table(one, **given)}, "webhook_networks": LOOPBACK}


async def state_of(server: Desk) -> dict[str, Any]:
    (found,) = (await server.get("/v1/webhooks"))["webhooks"]
    return found


@pytest.mark.parametrize("kept", [False, True], ids=["memory", "sqlite"])
async def test_alerts_are_told_as_the_feed_tells_them(
    one: Receiver, tmp_path: Path, *, kept: bool
) -> None:
    database = f"sqlite:///{tmp_path}/events.db" if kept else "memory"
    async with desk(database, **settings(one, lines=["sales"])) as server:
        await server.alarming(line="support")
        alert_id = await server.alarming(line="sales")
        await server.do(alert_id, "ack")
        told = await one.until(2)
        fed = {event["id"]: event for event in await server.feed()}
        for got in told:
            event = Webhook(SECRET).verify(got.body, got.headers)
            assert got.headers["webhook-id"] == event["id"]
            assert event.pop("timestamp") == event["time"]
            assert event == fed[event["id"]]
        assert sorted(one.types) == ["alert.opened.v1", "alert.updated.v1"]
        await server.state.webhooks.idle()
        view = await state_of(server)
        assert (view["state"], view["delivered"], view["pending"]) == ("telling", 2, 0)
        assert view["last_success"] is not None
        ready = await server.get("/readyz")
        assert ready["webhooks"] == {"status": "telling", "failing": {}}
        metrics = (await server.client.get("/metrics")).text
        counted = 'streamtrace_webhook_events_total{outcome="delivered",webhook="siem"} 2.0'
        assert counted in metrics


async def test_secrets_are_told_to_nobody(one: Receiver) -> None:
    url = f"{one.url}?token=hunter2"
    async with desk("memory", **settings(one, url=url)) as server:
        answers = [await server.client.get(path) for path in ("/v1/webhooks", "/readyz")]
        answers.append(await server.client.post("/v1/webhooks/siem/test"))
        for answer in answers:
            assert answer.status_code == 200
            assert SECRET not in answer.text
            assert "hunter2" not in answer.text
        assert one.received[0].line == "POST /hook?token=hunter2 HTTP/1.1"


async def test_a_ping_says_what_came_of_it(one: Receiver) -> None:
    async with desk("memory", **settings(one)) as server:
        said = (await server.client.post("/v1/webhooks/siem/test")).json()
        assert said == {"delivered": True, "status": 204, "said": "HTTP 204"}
        event = Webhook(SECRET).verify(one.received[0].body, one.received[0].headers)
        assert (event["type"], event["data"]["webhook"]) == ("webhook.ping.v1", "siem")
        busy = await server.client.post("/v1/webhooks/siem/test")
        assert busy.status_code == 429
        assert int(busy.headers["retry-after"]) > 0
        assert (await server.client.post("/v1/webhooks/none/test")).status_code == 404


async def test_a_ping_survives_whatever_is_answered(one: Receiver) -> None:
    one.answer(answer(429, "Retry-After: Fri, 02 Jan 99999999999999999999 03:05:05 GMT"))
    async with desk("memory", **settings(one)) as server:
        said = await server.client.post("/v1/webhooks/siem/test")
        assert said.json() == {"delivered": False, "status": 429, "said": "HTTP 429"}


async def test_who_refuses_more_than_can_be_parked_is_named(
    one: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamtrace.server.webhook_worker.MOST_PARKED", 1)
    one.answer(422)
    async with desk("memory", **settings(one)) as server:
        await server.alarming()
        await one.until(1)
        await server.state.webhooks.idle()
        view = await state_of(server)
        assert (view["state"], view["last_error"]) == ("full", "HTTP 422")
        assert view["parked"] == view["pending"] >= 1
        ready = await server.get("/readyz")
        failing = {"siem": "parking full: HTTP 422"}
        assert ready["webhooks"] == {"status": "failing", "failing": failing}


async def test_an_address_that_is_not_allowed_is_told_so(one: Receiver) -> None:
    given = {"webhooks": {"siem": table(one)}}
    async with desk("memory", **given) as server:
        said = (await server.client.post("/v1/webhooks/siem/test")).json()
        assert said["delivered"] is False
        assert "webhook_networks" in said["said"]
        assert one.received == []


async def test_what_is_turned_off_is_told_nothing(one: Receiver) -> None:
    async with desk("memory", **settings(one, enabled=False)) as server:
        await server.alarming()
        assert (await state_of(server))["state"] == "off"
        assert (await server.client.post("/v1/webhooks/siem/enable")).status_code == 409
        assert "webhooks" not in await server.get("/readyz")
        assert one.received == []


async def test_gone_outlives_a_restart_until_somebody_sees_to_it(
    one: Receiver, tmp_path: Path
) -> None:
    database = f"sqlite:///{tmp_path}/events.db"
    one.answer(410)
    async with desk(database, **settings(one)) as server:
        await server.alarming()
        await one.until(1)
        await server.state.webhooks.idle()
    one.answer(204)
    async with desk(database, **settings(one)) as server:
        view = await state_of(server)
        assert (view["state"], view["pending"]) == ("disabled", len(await all_alerts(server)))
        assert "410" in view["disabled_reason"]
        assert (await server.get("/readyz"))["webhooks"]["status"] == "failing"
        assert len(one.received) == 1
        answer = await server.client.post("/v1/webhooks/siem/enable")
        assert answer.json()["state"] == "telling"
        told = await one.until(1 + view["pending"])
        assert told[0].headers["webhook-id"] in {got.headers["webhook-id"] for got in told[1:]}
    one.answer(410)
    async with desk(database, **settings(one)) as server:
        count = len(one.received)
        await server.alarming()
        await one.until(count + 1)
        await server.state.webhooks.idle()
    one.answer(204)
    changed = settings(one, secrets=[NEWER, SECRET])
    del changed["webhooks"]["siem"]["secret"]
    count = len(one.received)
    async with desk(database, **changed) as server:  # other settings enable it too
        await one.until(count + 1)
        await server.state.webhooks.idle()
        assert (await state_of(server))["state"] == "telling"


async def all_alerts(server: Desk) -> list[Any]:
    """Every event that the feed has."""
    return await server.state.desk.channel.page(0, 1_000)


async def test_what_was_not_taken_is_told_by_the_next_server(one: Receiver, tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/events.db"
    one.answer(500)
    async with desk(database, **settings(one)) as server:
        await server.alarming()
        first = (await one.until(1))[0].event
    one.answer(204)
    async with desk(database, **settings(one)) as server:
        for _ in range(3):  # what it told before it was closed may have had no answer
            await server.state.webhooks.idle()
        await server.client.post("/v1/webhooks/siem/enable")
        again = (await one.until(3))[1:]
        assert first["id"] in {got.headers["webhook-id"] for got in again}
        assert len({got.headers["webhook-id"] for got in again}) == len(again)


async def test_a_call_s_end_is_told_whoever_takes_it_in(one: Receiver, ingest_workers: int) -> None:
    given = settings(one, events=CALLS)
    async with live_server(ingest_workers=1, **given) as url, http(url) as client:
        said = await place_pcm(url, "told", seconds=1)
        told = await one.until(2)
        assert sorted(got.event["type"] for got in told) == ["call.ended.v1", "call.score.v1"]
        finals = [event for event in said if event["data"].get("is_final")]
        ids = {got.headers["webhook-id"] for got in told}
        assert ids == {finals[0]["id"], said[-1]["id"]}
        (view,) = (await client.get("/v1/webhooks")).json()["webhooks"]
        assert view["events"] == ["call.score.v1", "call.ended.v1"]


async def test_a_drained_server_tells_its_last_words(one: Receiver) -> None:
    async with AsyncExitStack() as stack:
        async with live_server(**settings(one, events=CALLS)) as url:
            call = await stack.enter_async_context(ws(url, "/v1/ingest/pcm?events=1"))
            for _ in range(2):
                await call.send(bytes(24_000))
            await call.recv()
        assert one.types == ["call.score.v1", "call.ended.v1"]


async def test_killed_amid_a_call_the_next_server_tells_its_end(
    one: Receiver, tmp_path: Path
) -> None:
    """Nothing that was shown is lost, though nobody was told before the kill."""
    one.answer(503)
    given = {
        "WEBHOOKS": json.dumps({"siem": table(one, events=CALLS)}),
        "WEBHOOK_NETWORKS": json.dumps(LOOPBACK),
    }
    server = KilledServer(f"sqlite:///{tmp_path}/events.db", tmp_path, settings=given)
    await server.start()
    try:
        whole = await place_pcm(server.url, "whole", seconds=1)
        await one.until(1)
        async with ws(server.url, "/v1/ingest/pcm?external_id=cut&events=1") as call:
            for _ in range(2):
                await call.send(bytes(24_000))
            await call.recv()
            await server.stop(signal.SIGKILL)
        one.received.clear()
        one.answer(204)
        await server.start()
        async with http(server.url) as client:
            assert (await client.post("/v1/webhooks/siem/enable")).status_code == 200
        async with asyncio.timeout(30):
            while len(ends := ends_of(one)) < 2:
                one.came.clear()
                await one.came.wait()
        assert whole[-1]["id"] in ends
        assert set(ends.values()) == {"hung_up", "engine_failed"}
    finally:
        await server.stop(signal.SIGKILL)


def ends_of(one: Receiver) -> dict[str, str]:
    """Of which calls it was told, and their reasons."""
    events = [got.event for got in one.received]
    return {
        event["id"]: event["data"]["reason"] for event in events if event["type"] == "call.ended.v1"
    }


async def test_a_wrong_table_is_told_before_anything_starts() -> None:
    with pytest.raises(SettingsError, match=r"webhooks\.siem\.secret"):
        async with desk("memory", webhooks={"siem": {"url": "https://a.example", "secret": "x"}}):
            pass
