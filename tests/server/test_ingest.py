"""Streams in: decisions come back; every bad stream is closed with its code and harms no other."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from streamtrace.clients.follow import follow_call
from tests.live_server import live_server
from tests.protocols.dialects import TELNYX
from tests.protocols.twilio_messages import twilio_media, twilio_start, twilio_stop
from tests.server.peers import (
    FRAME,
    all_events,
    closed_with,
    finals,
    http,
    kinds,
    messages,
    refused_with,
    talk,
    ws,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_twilio_call_of_two_parties(shared_url: str) -> None:
    async with ws(shared_url, "/v1/ingest/twilio") as socket:
        await socket.send(twilio_start("inbound", "outbound", call_sid="CA-two"))
        for chunk in range(1, 51):
            await socket.send(twilio_media(chunk))
            await socket.send(twilio_media(chunk, track="outbound"))
        await socket.send(twilio_stop())
        assert await closed_with(socket) == (1000, "hung_up")
    events = await all_events(shared_url, "CA-two")
    assert [event["data"]["leg"] for event in finals(events)] == ["caller", "callee"]
    assert events[0]["data"]["line"] == "sales"
    assert events[0]["data"]["protocol"] == "twilio"
    assert all(event["data"]["external_id"] == "CA-two" for event in events)
    assert kinds(events)[-1] == "ended"


async def test_lost_frames_are_a_gap_and_not_joined(shared_url: str) -> None:
    async with ws(shared_url, "/v1/ingest/twilio") as socket:
        await socket.send(twilio_start(call_sid="CA-gap"))
        for chunk in [*range(1, 26), *range(76, 101)]:
            await socket.send(twilio_media(chunk))
        await socket.send(twilio_stop())
        await closed_with(socket)
    events = await all_events(shared_url, "CA-gap")
    [gap] = [event["data"] for event in events if event["type"] == "call.gap.v1"]
    assert (gap["start_ms"], gap["end_ms"], gap["cause"]) == (500, 1500, "lost")
    assert finals(events)[0]["data"]["duration_ms"] == 2000


async def test_a_stream_is_taken_once_unless_it_was_lost(shared_url: str) -> None:
    """By whichever process it comes in."""
    path = "/v1/ingest/telnyx"
    opening = [*TELNYX.opening(), TELNYX.frame(1)]

    async def say(socket: ClientConnection, messages: list[str]) -> None:
        for message in messages:
            await socket.send(message)

    async with ws(shared_url, path) as lost:
        await say(lost, opening)
        await anext(follow_call(shared_url, TELNYX.external_id))  # it has begun
        async with ws(shared_url, path) as copy:
            await say(copy, opening)
            assert (await closed_with(copy))[0] == 4409
        lost.transport.abort()
    await all_events(shared_url, TELNYX.external_id)
    async with ws(shared_url, path) as again:
        await say(again, [*opening, *TELNYX.goodbye()])
        assert (await closed_with(again))[0] == 1000
    async with ws(shared_url, path) as replay:
        await say(replay, opening)
        assert (await closed_with(replay))[0] == 4409


async def test_scores_and_the_end_come_back_on_the_same_socket(shared_url: str) -> None:
    path = "/v1/ingest/pcm?rate=8000&channels=2&events=1&external_id=echo&line=sales"
    async with ws(shared_url, path) as socket:
        for _ in range(50):
            await socket.send(FRAME)
        await socket.send(json.dumps({"event": "stop"}))
        got = await messages(socket)
        assert (await closed_with(socket))[0] == 1000
    assert set(kinds(got)) == {"score", "ended"}
    assert [event["data"]["leg"] for event in finals(got)] == ["caller", "callee"]
    events = await all_events(shared_url, "echo")
    assert [event for event in events if event["type"] in {e["type"] for e in got}] == got
    assert events[0]["data"]["line"] == "sales"


async def test_a_preamble_is_honoured(shared_url: str) -> None:
    async with ws(shared_url, "/v1/ingest/pcm") as socket:
        preamble = {"callSid": "jam-1", "sampleRate": 8000, "mixType": "stereo"}
        await socket.send(json.dumps(preamble | {"metadata": {"line": "front"}}))
        await socket.send(FRAME)
    events = await all_events(shared_url, "jam-1")
    media = [event["data"] for event in events if event["type"] == "call.media.v1"]
    assert [(one["leg"], one["rate_hz"]) for one in media] == [("caller", 8000), ("callee", 8000)]
    assert events[0]["data"]["line"] == "front"


async def test_subprotocols_are_echoed(shared_url: str) -> None:
    offered = [Subprotocol("other"), Subprotocol("audio.jambonz.org")]
    async with ws(shared_url, "/v1/ingest/pcm", subprotocols=offered) as socket:
        assert socket.subprotocol == "audio.jambonz.org"
        await socket.send(b"")


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("rate=4000", "rate"),
        ("rate=fast", "rate"),
        ("rate=96000", "rate"),
        ("channels=3", "channels"),
        ("events=maybe", "events"),
        ("external_id=" + "x" * 300, "external_id"),
        ("line=%00", "line"),
    ],
)
async def test_a_bad_url_is_refused_before_the_upgrade(
    query: str, word: str, shared_url: str
) -> None:
    refused = await refused_with(shared_url, f"/v1/ingest/pcm?{query}")
    assert refused.status_code == 422
    assert refused.headers["content-type"] == "application/problem+json"
    assert word in json.loads(refused.body)["detail"]


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (["{"], 1007),
        ([json.dumps({"event": "hello"})], 4400),
        ([twilio_media(1)], 4400),
        ([b"audio"], 1003),
        ([twilio_start(call_sid="BAD"), twilio_start(call_sid="BAD")], 4409),
        ([twilio_start(call_sid="BAD"), twilio_media(1), "{"], 1007),
        ([twilio_start(call_sid="BAD"), "x" * 70_000], 1009),
        ([twilio_start(call_sid="BAD"), twilio_media(1, payload=bytes(9_000))], 1009),
    ],
)
async def test_a_bad_stream_is_closed_with_its_code_and_has_its_last_events(
    sent: list[str | bytes], code: int, shared_url: str
) -> None:
    async with http(shared_url) as client:
        async with ws(shared_url, "/v1/ingest/twilio") as socket:
            for number, message in enumerate(sent):
                if number == 1:  # by then the call is there
                    await newest(client, "live")
                await socket.send(message)
            assert (await closed_with(socket))[0] == code
        call = await newest(client, "ended")
        events = (await client.get(f"/v1/calls/{call['id']}/events")).json()["events"]
    assert call["reason"] == "protocol_error"
    assert kinds(events)[-1] == "ended"
    assert events[-1]["data"]["error"]
    has_begun = call["external_id"] == "BAD"
    assert has_begun == (len(sent) > 1)
    assert len(finals(events)) == len(call["legs"]) == has_begun


async def newest(client: httpx.AsyncClient, state: str) -> dict[str, Any]:
    """The newest call, as soon as it is in this state."""
    async with asyncio.timeout(10):
        while True:
            calls = (await client.get("/v1/calls?limit=1")).json()["calls"]
            if calls and calls[0]["state"] == state:
                return calls[0]
            await asyncio.sleep(0.01)


async def test_silence_is_given_up() -> None:
    async with (
        live_server(start_timeout_s=0.5, media_idle_timeout_s=0.5) as url,
        http(url) as client,
    ):
        async with ws(url, "/v1/ingest/twilio") as never:
            assert await closed_with(never) == (4408, "start_timeout")
        async with ws(url, "/v1/ingest/twilio") as idle:
            await idle.send(twilio_start(call_sid="IDLE"))
            await idle.send(twilio_media(1))
            assert await closed_with(idle) == (4408, "idle_timeout")
        [second, first] = (await client.get("/v1/calls")).json()["calls"]
        assert (first["reason"], first["legs"]) == ("start_timeout", [])
        assert second["reason"] == "idle_timeout"
        assert len(finals(await all_events(url, "IDLE"))) == 1


async def talk_until_closed(socket: ClientConnection) -> None:
    with suppress(ConnectionClosed):
        await talk(socket)


async def test_a_client_that_vanishes_gets_its_finals_and_the_others_never_notice() -> None:
    async with live_server() as url, ws(url, "/v1/ingest/pcm?external_id=stays") as stays:
        async with asyncio.TaskGroup() as group:
            talking = group.create_task(talk(stays, seconds=1.5))
            vanishes = await ws(url, "/v1/ingest/pcm?external_id=goes")
            for _ in range(30):
                await vanishes.send(FRAME)
            vanishes.transport.abort()
            gone = await all_events(url, "goes")
            await talking
        await stays.close()
        stayed = await all_events(url, "stays")
    assert gone[-1]["data"]["reason"] == "source_lost"
    assert len(finals(gone)) == 1
    assert stayed[-1]["data"]["reason"] == "hung_up"
    assert finals(stayed)[0]["data"]["duration_ms"] == 1500
    assert "gap" not in kinds(stayed)


async def test_a_full_server_refuses_before_the_upgrade_and_recovers(ingest_workers: int) -> None:
    async with live_server(max_calls=1, ingest_workers=ingest_workers) as url, http(url) as client:
        async with ws(url, "/v1/ingest/pcm?external_id=only") as only:
            await only.send(FRAME)
            refused = await refused_with(url, "/v1/ingest/pcm")
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
            ready = await client.get("/readyz")
            assert (ready.status_code, ready.headers["retry-after"]) == (503, "5")
            announced = await client.post("/v1/calls", json={"external_id": "x"})
            assert announced.status_code == 503
        await all_events(url, "only")
        assert (await client.get("/readyz")).status_code == 200
        async with ws(url, "/v1/ingest/pcm") as next_one:
            await next_one.send(FRAME)


async def test_no_slot_and_no_time_left(ingest_workers: int) -> None:
    async with live_server(slots=1, call_max_s=0.2, ingest_workers=ingest_workers) as url:
        async with ws(url, "/v1/ingest/pcm?channels=2") as socket:
            await socket.send(FRAME)
            assert (await closed_with(socket))[0] == 1013
        async with ws(url, "/v1/ingest/pcm?external_id=L") as call, asyncio.TaskGroup() as group:
            talking = group.create_task(talk_until_closed(call))
            assert await closed_with(call) == (1008, "too_long")
            await talking
        assert len(finals(await all_events(url, "L"))) == 1
