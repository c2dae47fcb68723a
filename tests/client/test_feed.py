"""Feeds resume by themselves: every way in which a connection ends, and when they give up."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from urllib.parse import parse_qs, urlsplit

import pytest
from websockets.asyncio.server import ServerConnection, serve

from streamtrace.client import (
    AnswerUnreadable,
    Backoff,
    Client,
    FeedRestarted,
    RequestRefused,
    Unreachable,
)
from streamtrace.demo.local_server import free_port
from streamtrace.errors import CallFailed
from tests.client.test_story import text
from tests.clients.fake_server import fake_server

SOON = Backoff(first_s=0.001, most_s=0.002)
CALL = {
    "id": "c",
    "external_id": None,
    "line": None,
    "protocol": "pcm",
    "state": "ended",
    "started": "2026-01-02T03:04:05.000Z",
    "ended": "2026-01-02T03:04:06.000Z",
    "reason": "hung_up",
    "legs": [],
}

NOTHING_MORE: dict[str, object] = {"/v1/calls/c/events": {"events": [], "next": None}}

Ending = Callable[[ServerConnection], Awaitable[None]]


def asked_after(socket: ServerConnection) -> int:
    assert socket.request is not None
    return int(parse_qs(urlsplit(socket.request.path).query)["after"][0])


async def vanish(socket: ServerConnection) -> None:
    socket.transport.abort()


def close(code: int) -> Ending:
    return lambda socket: socket.close(code)


@pytest.mark.parametrize(
    "ending",
    [vanish, close(1013), close(1012), close(1011)],
    ids=["gone", "too slow", "restart", "failed"],
)
async def test_a_call_is_followed_to_its_end_through_disconnects(ending: Ending) -> None:
    """Two events a connection, the last one again."""
    cursors: list[int] = []

    async def server(socket: ServerConnection) -> None:
        cursors.append(asked_after(socket))
        for number in range(max(cursors[-1], 1), min(cursors[-1] + 3, 8)):
            kind = "call.ended.v1" if number == 7 else "call.mood.v1"
            await socket.send(text(number, kind))
        await ending(socket)

    async with fake_server(server) as url, Client(url, backoff=SOON) as client:
        feed = client.call_events("c")
        assert [item.number async for item in feed] == [1, 2, 3, 4, 5, 6, 7]
        assert feed.connections == len(cursors) == 4
    assert cursors == [0, 2, 4, 6]


async def test_whoever_comes_behind_the_end_is_told_nothing() -> None:
    async with (
        fake_server(close(1000), {"/v1/calls/c": CALL} | NOTHING_MORE) as url,
        Client(url, backoff=SOON) as client,
    ):
        assert [item async for item in client.call_events("c", after=f"{7:020d}")] == []


async def test_an_orderly_close_of_a_live_call_is_a_disconnect() -> None:
    cursors: list[int] = []

    async def server(socket: ServerConnection) -> None:
        cursors.append(asked_after(socket))
        await socket.send(
            text(len(cursors), "call.mood.v1" if len(cursors) < 3 else "call.ended.v1")
        )

    live = CALL | {"state": "live", "ended": None}
    async with (
        fake_server(server, {"/v1/calls/c": live}) as url,
        Client(url, backoff=SOON) as client,
    ):
        assert [item.number async for item in client.call_events("c")] == [1, 2, 3]


async def test_an_orderly_close_amid_an_ended_call_is_a_disconnect() -> None:
    """A proxy says 1000 too; what was not told yet is still to come."""
    cursors: list[int] = []

    async def server(socket: ServerConnection) -> None:
        cursors.append(asked_after(socket))
        if len(cursors) == 3:
            await socket.send(text(1, "call.ended.v1"))

    rest = {"/v1/calls/c/events": {"events": [{"type": "call.mood.v1"}], "next": None}}
    async with (
        fake_server(server, {"/v1/calls/c": CALL} | rest) as url,
        Client(url, backoff=SOON) as client,
    ):
        assert [item.number async for item in client.call_events("c")] == [1]
    assert cursors == [0, 0, 0]


class Proxy:
    """Refuses the second and the third of each kind, requests and sockets alike."""

    def __init__(self, status: int) -> None:
        self.status = status
        self.asked: Counter[tuple[str, bool]] = Counter()

    def __call__(self, path: str, is_socket: bool) -> int | None:
        self.asked[path, is_socket] += 1
        return self.status if self.asked[path, is_socket] in (2, 3) else None


async def one_more(socket: ServerConnection) -> None:
    """An event a connection, closed in order; the third is the last of its call."""
    after = asked_after(socket)
    await socket.send(text(after + 1, "call.mood.v1" if after < 2 else "call.ended.v1"))


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_alerts_are_followed_past_a_proxy_that_refuses_for_a_while(status: int) -> None:
    proxy = Proxy(status)
    page = {"/v1/alerts": {"alerts": [], "next": None, "sequence": f"{9:020d}", "feed": "f"}}
    async with (
        fake_server(one_more, page, refuse=proxy) as url,
        Client(url, backoff=SOON) as client,
    ):
        feed = client.alerts()
        items = [await anext(feed) for _ in range(2)]
        assert [isinstance(item, FeedRestarted) or item.id for item in items] == ["e1", "e2"]
    assert proxy.asked == {("/v1/alerts", False): 6, ("/v1/alerts", True): 4}


@pytest.mark.parametrize("status", [429, 502])
async def test_a_call_is_followed_past_a_proxy_that_refuses_for_a_while(status: int) -> None:
    """Asked whether a call is over, too, which whoever asks himself is told at once."""
    proxy = Proxy(status)
    live = {"/v1/calls/c": CALL | {"state": "live", "ended": None}}
    async with (
        fake_server(one_more, live, refuse=proxy) as url,
        Client(url, backoff=SOON) as client,
    ):
        await client.call("c")
        with pytest.raises(RequestRefused) as refused:
            await client.call("c")
        assert (refused.value.status, refused.value.is_passing) == (status, True)
        assert [item.number async for item in client.call_events("c")] == [1, 2, 3]
    assert proxy.asked == {("/v1/calls/c", False): 4, ("/v1/calls/c/events", True): 5}


async def test_a_server_that_is_not_there_yet() -> None:
    port = free_port()

    async def server(socket: ServerConnection) -> None:
        await socket.send(text(1))

    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(Client(f"http://127.0.0.1:{port}", backoff=SOON))
        feed = client.call_events("c")
        waiting = asyncio.create_task(anext(feed))
        await asyncio.sleep(0.01)
        assert "does not answer" in (feed.trouble or "")
        await stack.enter_async_context(serve(server, "127.0.0.1", port))
        assert (await waiting).number == 1
        assert feed.trouble is None


async def test_it_is_given_up_when_patience_ends() -> None:
    async with Client(f"http://127.0.0.1:{free_port()}", backoff=SOON, patience_s=0.01) as client:
        feed = client.alerts()
        with pytest.raises(Unreachable, match="given up after"):
            await anext(feed)
        assert [item async for item in feed] == []


async def test_what_is_refused_is_not_tried_again() -> None:
    asked: list[str] = []

    async def server(socket: ServerConnection) -> None: ...

    async with serve(
        server,
        "127.0.0.1",
        0,
        process_request=lambda socket, request: (
            asked.append(request.path),
            socket.respond(404, '{"detail": "no such call"}'),  # type: ignore[arg-type]
        )[1],
    ) as listening:
        port = next(iter(listening.sockets)).getsockname()[1]
        async with Client(f"http://127.0.0.1:{port}", backoff=SOON) as client:
            with pytest.raises(RequestRefused, match=r"no such call \(HTTP 404\)") as refused:
                await anext(client.call_events("c"))
    assert refused.value.status == 404
    assert len(asked) == 1


async def test_whoever_waits_for_the_next_try_is_told_when_the_client_goes() -> None:
    late = Backoff(first_s=600, most_s=600)
    async with Client(f"http://127.0.0.1:{free_port()}", backoff=late) as client:
        feed = client.all_calls()
        waiting = asyncio.create_task(anext(feed, None))
        await asyncio.sleep(0.02)
        assert "does not answer" in (feed.trouble or "")
    assert await asyncio.wait_for(waiting, 5) is None


async def test_an_error_is_the_end_of_a_feed() -> None:
    """Nothing is skipped: what cannot be read, and then what follows it, does not come."""
    gone = asyncio.Event()

    async def server(socket: ServerConnection) -> None:
        await socket.send("what?")
        await socket.send(text(2))
        await socket.wait_closed()
        gone.set()

    async with fake_server(server) as url, Client(url, backoff=SOON) as client:
        feed = client.call_events("c")
        with pytest.raises(AnswerUnreadable):
            await anext(feed)
        await asyncio.wait_for(gone.wait(), 5)
        assert feed.is_closed
        assert [item async for item in feed] == []


async def test_a_frame_of_many_calls_with_long_names_is_taken() -> None:
    calls = [CALL | {"id": f"c{n}", "line": "l" * 8_000} for n in range(200)]

    async def server(socket: ServerConnection) -> None:
        await socket.send(json.dumps({"calls": calls}))
        await socket.wait_closed()

    async with fake_server(server) as url, Client(url, backoff=SOON) as client:
        assert len((await anext(client.all_calls())).calls) == 200


async def test_whoever_waits_is_told_when_the_client_goes() -> None:
    there = asyncio.Event()

    async def server(socket: ServerConnection) -> None:
        there.set()
        await socket.wait_closed()

    async with fake_server(server) as url:
        async with Client(url) as client:
            waiting = asyncio.create_task(anext(client.all_calls(), None))
            await there.wait()
        assert await waiting is None


@pytest.mark.parametrize(
    "url",
    ["localhost:8080", "http://:80", "http://[::1", "http://a:b", "http://a:99999", "http://a:0"],
)
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(CallFailed, match="no server address"):
        Client(url)


def test_it_loads_no_engine() -> None:
    heavy = ("numpy", "onnxruntime", "av", "aiortc", "fastapi", "sqlalchemy", "streamtrace.engine")
    code = f"import sys, streamtrace.client; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
