"""Following a call: events once and in order, through disconnects and until the last."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlsplit

import pytest
from websockets.asyncio.server import ServerConnection

from streamtrace.clients.follow import find_call, follow_call, follow_events
from streamtrace.errors import CallFailed
from tests.clients.fake_server import fake_server

CALLS = {"/v1/calls": {"calls": [{"id": "call_1"}]}}


def event(number: int, kind: str = "call.score.v1") -> str:
    return json.dumps({"id": f"e{number}", "type": kind, "sequence": f"{number:020d}"})


class FlakyServer:
    """Sends seven events, two a connection, the last one ending the call."""

    def __init__(self) -> None:
        self.asked_after: list[str | None] = []

    async def __call__(self, websocket: ServerConnection) -> None:
        assert websocket.request is not None
        url = urlsplit(websocket.request.path)
        assert url.path == "/v1/calls/call_1/events"
        after = parse_qs(url.query).get("after", [None])[0]
        self.asked_after.append(after)
        first = 1 if after is None else int(after)  # one again: at least once is promised
        await websocket.send(json.dumps({"id": "h", "type": "stream.heartbeat.v1"}))
        for number in range(first, min(first + 3, 8)):
            await websocket.send(event(number, "call.ended.v1" if number == 7 else "call.score.v1"))
        if len(self.asked_after) % 2:
            websocket.transport.abort()


async def test_events_come_once_and_in_order_through_disconnects():
    server = FlakyServer()
    async with fake_server(server, CALLS) as url:
        events = [event async for event in follow_call(url, "CA1")]
    assert [event["id"] for event in events] == [f"e{number}" for number in range(1, 8)]
    assert server.asked_after[0] is None
    assert server.asked_after == sorted(server.asked_after, key=lambda after: after or "")
    assert len(server.asked_after) >= 3


async def test_a_server_that_only_hangs_up_is_given_up():
    async def hang_up(websocket: ServerConnection) -> None:
        await websocket.close(1013)

    async with fake_server(hang_up) as url:
        with pytest.raises(CallFailed, match="keeps closing"):
            [event async for event in follow_events(url, "call_1", retry_s=0.001)]


async def test_a_server_that_is_not_there_is_given_up():
    with pytest.raises(CallFailed, match="does not show call"):
        [event async for event in follow_events("http://127.0.0.1:9", "c", retry_s=0.001)]


@pytest.mark.parametrize("junk", ["what?", "7", "[]", "{}"])
async def test_a_server_that_is_another_one_is_given_up(junk: str):
    """As behind a sign-in page of somebody else's."""

    async def server(websocket: ServerConnection) -> None:
        await websocket.send(junk)

    async with fake_server(server, {"/v1/calls": junk}) as url:
        with pytest.raises(CallFailed, match="not as StreamTrace does"):
            await find_call(url, "CA1")
        with pytest.raises(CallFailed, match="no event"):
            [event async for event in follow_events(url, "call_1", retry_s=0.001)]


async def test_a_call_that_never_appears():
    async def unused(websocket: ServerConnection) -> None: ...

    async with fake_server(unused, {"/v1/calls": {"calls": []}}) as url:
        with pytest.raises(CallFailed, match="has no call 'CA1' after"):
            await find_call(url, "CA1", within_s=0.15)


async def test_an_address_that_is_none():
    with pytest.raises(CallFailed, match="no server address"):
        await find_call("localhost:8080", "CA1")
