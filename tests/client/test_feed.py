"""Feeds resume by themselves: every way in which a connection ends, and when they give up."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from urllib.parse import parse_qs, urlsplit

import pytest
from websockets.asyncio.server import ServerConnection, serve

from streamtrace.client import Backoff, Client, FeedRestarted, RequestRefused, Unreachable
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
        fake_server(close(1000), {"/v1/calls/c": CALL}) as url,
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


async def test_alerts_of_a_server_that_has_forgotten_them() -> None:
    """It counts from 1 again: whoever waited behind 40 would wait for long."""
    cursors: list[int] = []

    async def server(socket: ServerConnection) -> None:
        cursors.append(asked_after(socket))
        await socket.send(text(1, "alert.mood.v1"))
        await socket.wait_closed()

    page = {"/v1/alerts": {"alerts": [], "next": None, "sequence": f"{3:020d}"}}
    async with fake_server(server, page) as url, Client(url, backoff=SOON) as client:
        feed = client.alerts(after=40)
        assert await anext(feed) == FeedRestarted(40)
        item = await anext(feed)
        assert not isinstance(item, FeedRestarted)
        assert item.id == "e1"
    assert cursors == [0]


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


def test_an_address_that_is_none() -> None:
    with pytest.raises(CallFailed, match="no server address"):
        Client("localhost:8080")


def test_it_loads_no_engine() -> None:
    heavy = ("numpy", "onnxruntime", "av", "aiortc", "fastapi", "sqlalchemy", "streamtrace.engine")
    code = f"import sys, streamtrace.client; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
