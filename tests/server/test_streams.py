"""Live streams out: replay and follow, resume, heartbeats, the feed, SSE, and slow readers."""

from __future__ import annotations

import asyncio
import json
import socket as sockets

import httpx
import pytest

from streamtrace.server.streams import MOST_CALLS_A_FRAME
from tests.live_server import live_server
from tests.server.peers import (
    closed_with,
    http,
    kinds,
    messages,
    place_pcm,
    refused_with,
    talk,
    ws,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_stream_replays_and_ends_behind_the_end(shared_url: str) -> None:
    events = await place_pcm(shared_url, "replay")
    async with ws(shared_url, f"/v1/calls/{events[0]['subject']}/events") as socket:
        assert await messages(socket) == events
        assert (await closed_with(socket))[0] == 1000
    assert kinds(events)[:2] == ["started", "media"]
    assert kinds(events)[-2:] == ["score", "ended"]


async def test_a_stream_resumes_behind_its_cursor(shared_url: str) -> None:
    events = await place_pcm(shared_url, "resume")
    path = f"/v1/calls/{events[0]['subject']}/events?after="
    async with ws(shared_url, path + events[1]["sequence"]) as socket:
        assert await messages(socket) == events[2:]
    async with ws(shared_url, path + events[-1]["sequence"]) as socket:
        assert await messages(socket) == []
        assert (await closed_with(socket))[0] == 1000


async def test_events_come_while_the_call_is_live_and_heartbeats_where_none_do(
    shared_url: str,
) -> None:
    async with ws(shared_url, "/v1/ingest/pcm?external_id=live-1") as call:
        await call.send(bytes(6_400))
        async with http(shared_url) as client:
            call_id = await live_call(client, "live-1")
        async with ws(shared_url, f"/v1/calls/{call_id}/events") as stream:
            got = [json.loads(await stream.recv()) for _ in range(4)]
            assert kinds(got)[:2] == ["started", "media"]
            assert got[2]["type"] == "stream.heartbeat.v1"
            assert got[2]["sequence"] == got[1]["sequence"]
            assert got[2]["id"] != got[3]["id"]
            await call.close()
            assert kinds(await messages(stream))[-1] == "ended"


async def live_call(client: httpx.AsyncClient, external_id: str) -> str:
    async with asyncio.timeout(5):
        while True:
            listed = await client.get("/v1/calls", params={"external_id": external_id})
            if calls := listed.json()["calls"]:
                return calls[0]["id"]
            await asyncio.sleep(0.02)


async def test_server_sent_events(shared_url: str) -> None:
    events = await place_pcm(shared_url, "sse")
    headers = {"accept": "text/event-stream", "last-event-id": events[0]["sequence"]}
    async with http(shared_url) as client:
        path = f"/v1/calls/{events[0]['subject']}/events"
        answer = await client.get(path, headers=headers)
    assert answer.headers["content-type"].startswith("text/event-stream")
    sent = [block.split("\n") for block in answer.text.strip().split("\n\n")]
    assert [json.loads(lines[2].removeprefix("data: ")) for lines in sent] == events[1:]
    assert [lines[0] for lines in sent] == [f"id: {event['sequence']}" for event in events[1:]]


async def test_the_feed_shows_all_calls_and_then_what_changes(shared_url: str) -> None:
    before = await place_pcm(shared_url, "feed-before", seconds=0.1)
    async with ws(shared_url, "/v1/calls") as feed:
        first = json.loads(await feed.recv())
        async with http(shared_url) as client:
            assert first["calls"] == (await client.get("/v1/calls?limit=200")).json()["calls"]
        assert before[0]["subject"] in [call["id"] for call in first["calls"]]
        after = await place_pcm(shared_url, "feed-after", seconds=0.5)
        states: list[str] = []
        while "ended" not in states:
            frame = json.loads(await feed.recv())
            states += [
                call["state"]
                for call in frame.get("calls", [])
                if call["id"] == after[0]["subject"]
            ]
        heartbeat = json.loads(await feed.recv())
    assert heartbeat["type"] == "stream.heartbeat.v1"
    assert "calls" not in heartbeat


async def test_a_live_call_is_told_however_many_are_newer() -> None:
    path = "/v1/ingest/pcm?external_id=old"
    async with live_server() as url, http(url) as client, ws(url, path) as call:
        await call.send(bytes(640))
        old = await live_call(client, "old")
        for number in range(MOST_CALLS_A_FRAME):
            await client.post("/v1/calls", json={"external_id": str(number)})
        async with ws(url, "/v1/calls") as feed:
            newest, rest = [json.loads(await feed.recv())["calls"] for _ in range(2)]
        assert {one["state"] for one in newest} == {"announced"}
        assert [one["id"] for one in rest] == [old]


async def test_the_feed_is_no_faster_than_it_should_be() -> None:
    async with live_server(feed_interval_s=0.4) as url, ws(url, "/v1/calls") as feed:
        await feed.recv()
        async with ws(url, "/v1/ingest/pcm?external_id=x") as call, asyncio.TaskGroup() as group:
            talking = group.create_task(talk(call))
            began = asyncio.get_running_loop().time()
            for _ in range(3):
                await feed.recv()
            took_s = asyncio.get_running_loop().time() - began
            talking.cancel()
        assert took_s > 0.75


async def test_unknown_calls_are_refused_before_the_upgrade(shared_url: str) -> None:
    refused = await refused_with(shared_url, "/v1/calls/call_0/events")
    assert refused.status_code == 404
    assert refused.headers["content-type"] == "application/problem+json"


SLOW = 'streamtrace_events_dropped_total{reason="slow_consumer"} 1.0'


async def test_a_reader_that_does_not_read_is_closed_and_others_go_on() -> None:
    async with (
        live_server(send_buffer_bytes=4_096, send_timeout_s=0.2, feed_interval_s=0.05) as url,
        http(url) as client,
    ):
        for number in range(200):  # a first frame that no buffer on the way can hold
            await client.post("/v1/calls", json={"external_id": f"{number}-" + "x" * 250})
        with await feed_never_read(url):
            async with asyncio.timeout(20), ws(url, "/v1/calls") as other:
                while SLOW not in (await client.get("/metrics")).text:
                    async with ws(url, "/v1/ingest/pcm") as call:
                        await call.send(bytes(640))
                    await other.recv()


async def feed_never_read(url: str) -> sockets.socket:
    """A feed over a socket with a tiny buffer."""
    host, port = url.removeprefix("http://").split(":")
    reader = sockets.socket()
    reader.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 2048)
    reader.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(reader, (host, int(port)))
    request = (
        f"GET /v1/calls HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    await loop.sock_sendall(reader, request.encode())
    return reader
