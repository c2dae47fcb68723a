"""The alerts' feed of real calls: followed, resumed, across a kill, whoever takes calls in."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection

from streamtrace.audio.pcm16 import encode_pcm16
from streamtrace.demo.local_server import local_server
from streamtrace.demo.render import CLIPS
from streamtrace.sources.file import decode_mono
from streamtrace.values import SAMPLE_RATE_HZ
from tests.live_server import live_server
from tests.server.peers import closed_with, http, messages, refused_with, ws

# Seconds of a synthetic voice, which a mild policy takes for one.
VOICE = encode_pcm16(decode_mono(CLIPS / "espeak-formant.opus")[: 4 * SAMPLE_RATE_HZ])
MILD = {"false_alarms_per_100_calls": 25}
PIECE = 640 * 10


async def speak(call: ClientConnection) -> None:
    """Faster than live."""
    for start in range(0, len(VOICE), PIECE):
        await call.send(VOICE[start : start + PIECE])


async def told(feed: ClientConnection) -> dict[str, Any]:
    """The next that is no heartbeat."""
    async with asyncio.timeout(20):
        while True:
            event = json.loads(await feed.recv())
            if event["type"] != "stream.heartbeat.v1":
                return event


@pytest.mark.parametrize("ingest_workers", [0, 1], indirect=True, ids=["one", "worker"])
async def test_the_feed_is_followed_and_resumed(ingest_workers: int) -> None:
    given = {"alerts": MILD, "heartbeat_s": 0.2, "ring_ms": 60_000}
    async with (
        live_server(**given, ingest_workers=ingest_workers) as url,
        http(url) as client,
    ):
        feed = await ws(url, "/v1/alerts")
        beat = json.loads(await feed.recv())
        assert (beat["type"], beat["subject"], beat["sequence"]) == (
            "stream.heartbeat.v1",
            "alerts",
            f"{0:020d}",
        )
        async with ws(url, "/v1/ingest/pcm?external_id=fake") as call:
            await speak(call)
            opened = await told(feed)
            assert (opened["type"], opened["data"]["external_id"]) == ("alert.opened.v1", "fake")
            path = opened["source"]
            alert = await client.get(path)
            acknowledged = await client.post(
                f"{path}/ack", headers={"if-match": alert.headers["etag"]}, json={"actor": "ada"}
            )
            assert acknowledged.json()["state"] == "acknowledged"
        events = [opened]
        while not events[-1]["data"]["is_call_over"]:
            events.append(await told(feed))
        assert [int(event["sequence"]) for event in events] == list(range(1, len(events) + 1))
        assert events[-1]["data"]["state"] == "acknowledged"
        headers = {"accept": "text/event-stream", "last-event-id": opened["sequence"]}
        async with client.stream("GET", "/v1/alerts", headers=headers) as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            lines = stream.aiter_lines()
            again = [await anext(lines) for _ in range(4 * (len(events) - 1))]
        data = [line.removeprefix("data: ") for line in again if line.startswith("data")]
        assert [json.loads(each) for each in data] == events[1:]
        assert again[0] == f"id: {events[1]['sequence']}"
        refused = await refused_with(url, "/v1/alerts?after=soon")
        assert refused.status_code == 422
    assert (await closed_with(feed))[0] == 1012  # the server went down


async def test_what_was_shown_outlives_a_kill_and_is_told_once(tmp_path: Path) -> None:
    settings = {
        "max_load": 1000,
        "ring_ms": 60_000,
        "alerts": json.dumps(MILD),
        "database": f"sqlite:///{tmp_path}/events.db",
    }
    seen: list[dict[str, Any]] = []
    async with local_server(settings=settings) as server, ws(server.url, "/v1/alerts") as feed:
        calls = [await ws(server.url, f"/v1/ingest/pcm?external_id={n}") for n in range(3)]
        await asyncio.gather(*(speak(call) for call in calls))
        seen.append(await told(feed))
        os.kill(server.pid, signal.SIGKILL)  # the others may have been kept by then, or not
        seen += [event for event in await messages(feed) if event["type"].startswith("alert.")]
        for call in calls:
            await call.close()
    async with (
        local_server(settings=settings) as server,
        http(server.url) as client,
        ws(server.url, f"/v1/alerts?after={seen[-1]['sequence']}") as feed,
    ):
        listed = (await client.get("/v1/alerts")).json()
        last = int(listed["sequence"])
        while int(seen[-1]["sequence"]) < last:
            seen.append(await told(feed))
        assert [int(event["sequence"]) for event in seen] == list(range(1, last + 1))
        ids = {event["subject"] for event in seen}
        assert {alert["id"] for alert in listed["alerts"]} == ids
        assert all(alert["is_call_over"] for alert in listed["alerts"])
        for each in ids:
            trail = (await client.get(f"/v1/alerts/{each}/audit")).json()["entries"]
            of_it = [event["data"] for event in seen if event["subject"] == each]
            assert [entry["version"] for entry in trail] == [data["version"] for data in of_it]
            assert [entry["action"] for entry in trail] == [data["action"] for data in of_it]
