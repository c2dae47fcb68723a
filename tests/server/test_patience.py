"""Connections that dawdle: requests that never come whole, and pings that are answered oddly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from benchmarks.twilio_frames import PING, PONG, client_frame
from streamtrace.clients.follow import find_call
from streamtrace.server.listening import listen
from streamtrace.server.serving import DrainingServer, config
from streamtrace.settings import Settings
from tests.live_server import live_server
from tests.protocols.twilio_messages import twilio_media, twilio_start, twilio_stop
from tests.server.peers import all_events, finals, ws
from tests.server.test_direct import RawPeer

HEAD = b"GET /livez HTTP/1.1\r\nHost: here\r\n"
UPGRADE = b"GET /v1/ingest/twilio HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Up"


@asynccontextmanager
async def connection(
    url: str,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield reader, writer
    finally:
        writer.close()


async def answer(reader: asyncio.StreamReader) -> bytes:
    """All that is said until the server closes."""
    async with asyncio.timeout(5):
        return await reader.read()


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"G",
        HEAD,
        UPGRADE,
        b"POST /v1/calls HTTP/1.1\r\nHost: here\r\nContent-Length: 9\r\n\r\n{",
    ],
    ids=["nothing", "a letter", "a head", "an upgrade", "a body"],
)
async def test_a_request_that_does_not_come_in_whole_is_given_up(sent: bytes) -> None:
    async with live_server(request_timeout_s=0.2) as url, connection(url) as (reader, writer):
        writer.write(sent)
        said = await answer(reader)
    assert said == b"" if b"POST" in sent else said.startswith(b"HTTP/1.1 408 ")


async def test_a_drop_of_bytes_now_and_then_buys_no_time() -> None:
    async with live_server(request_timeout_s=0.2) as url, connection(url) as (reader, writer):
        dripping = asyncio.create_task(drip(writer))
        assert (await answer(reader)).startswith(b"HTTP/1.1 408 ")
        dripping.cancel()


async def drip(writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD)
    while True:
        writer.write(b"X-More: x\r\n")
        await asyncio.sleep(0.02)


async def test_a_later_request_on_the_same_connection_has_its_own_time() -> None:
    async with live_server(request_timeout_s=0.2) as url, connection(url) as (reader, writer):
        for _ in range(2):
            writer.write(HEAD + b"\r\n")
            assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
            await reader.readuntil(b"}")
            await asyncio.sleep(0.15)  # between requests nothing is due
        writer.write(HEAD)
        assert (await answer(reader)).startswith(b"HTTP/1.1 408 ")


async def test_what_has_come_whole_may_take_its_time() -> None:
    async with live_server(request_timeout_s=0.2, heartbeat_s=0.3) as url:
        async with connection(url) as (reader, writer), ws(url, "/v1/ingest/twilio") as slow:
            await slow.send(twilio_start(call_sid="SLOW"))
            call = await find_call(url, "SLOW")
            writer.write(
                f"GET /v1/calls/{call}/events HTTP/1.1\r\nHost: here\r\n".encode()
                + b"Accept: text/event-stream\r\n\r\n"
            )
            for number in range(1, 4):
                await asyncio.sleep(0.15)
                await slow.send(twilio_media(number))
            await slow.send(twilio_stop())
            async with asyncio.timeout(5):
                assert b"call.ended.v1" in await reader.readuntil(b"call.ended.v1")
        assert len(finals(await all_events(url, "SLOW"))) == 1


async def test_any_pong_says_that_the_far_side_is_there() -> None:
    async with pinging_server() as url, connection(url) as (reader, writer):
        peer = RawPeer(reader, writer)
        await peer.upgrade("/")
        for _ in range(4):  # each within less than the server waits for the last
            opcode, payload = await peer.frame()
            assert (opcode, bool(payload)) == (PING, True)
            writer.write(client_frame(PONG, b"pong"))
        assert (await peer.frame())[0] == PING
        assert await peer.close_code() == 1011  # and without one it is given up


@asynccontextmanager
async def pinging_server() -> AsyncIterator[str]:
    """uvicorn as we configure it, but for how often it asks."""

    async def app(scope, receive, send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass

    how = config(Settings(), app)
    how.ws_ping_interval, how.ws_ping_timeout = 0.05, 0.15
    listener, stop, ready = listen("127.0.0.1", 0), asyncio.Event(), asyncio.Event()
    server = DrainingServer(how, NothingToDrain(), stop, ready.set)
    serving = asyncio.create_task(server.serve([listener]))
    await ready.wait()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stop.set()
        await serving


class NothingToDrain:
    async def drain(self) -> None:
        return
