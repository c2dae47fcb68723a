"""The short way in of a stream's messages: however frames are cut or mixed, nothing differs."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from benchmarks.twilio_frames import CLOSE, PING, PONG, TEXT, client_frame
from streamtrace.clients.follow import EventJson, find_call
from tests.live_server import live_server
from tests.protocols.twilio_messages import twilio_media, twilio_start, twilio_stop
from tests.server.peers import all_events, finals, http

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONTINUED = 0


class RawPeer:
    """A WebSocket client that sends whatever bytes it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    async def upgrade(self, path: str) -> None:
        self.writer.write(
            f"GET {path} HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
            "".encode()
        )
        head = await self._reader.readuntil(b"\r\n\r\n")
        assert b" 101 " in head

    async def frame(self) -> tuple[int, bytes]:
        """The server's next frame: opcode and payload."""
        async with asyncio.timeout(10):
            first, length = await self._reader.readexactly(2)
            if length == 126:
                length = int.from_bytes(await self._reader.readexactly(2), "big")
            return first & 15, await self._reader.readexactly(length)

    async def close_code(self) -> int:
        """Of the server's close frame, the next that comes."""
        opcode, payload = await self.frame()
        assert opcode == CLOSE
        return int.from_bytes(payload[:2], "big")


@asynccontextmanager
async def raw_peer(url: str, path: str = "/v1/ingest/twilio") -> AsyncIterator[RawPeer]:
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        peer = RawPeer(reader, writer)
        await peer.upgrade(path)
        yield peer
    finally:
        writer.close()


def text(message: str) -> bytes:
    return client_frame(TEXT, message.encode())


def call(call_sid: str, frames: int = 30) -> list[bytes]:
    """All frames of a short call."""
    messages = [twilio_media(number) for number in range(1, frames + 1)]
    return [text(one) for one in (twilio_start(call_sid=call_sid), *messages, twilio_stop())]


def in_parts(message: str, parts: int) -> bytes:
    """A message in several frames, a ping between them."""
    data = message.encode()
    cut = -(-len(data) // parts)
    frames = list[bytes]()
    for at in range(0, len(data), cut):
        frame = bytearray(client_frame(TEXT if at == 0 else CONTINUED, data[at : at + cut]))
        if at + cut < len(data):
            frame[0] &= 0x7F
        frames += [bytes(frame), client_frame(PING, b"still there?")]
    return b"".join(frames)


def duration_ms(events: list[EventJson]) -> int:
    return finals(events)[0]["data"]["duration_ms"]


@pytest.mark.parametrize("cut", [1, 2, 7, 150, 5_000, 1_000_000])
async def test_how_the_network_cuts_frames_does_not_matter(cut: int, shared_url: str) -> None:
    sent = b"".join(call(f"CUT{cut}"))
    async with raw_peer(shared_url) as peer:
        for at in range(0, len(sent), cut):
            peer.writer.write(sent[at : at + cut])
            if cut < 100 and at % (100 * cut) == 0:
                await peer.writer.drain()
                await asyncio.sleep(0)
        assert await peer.close_code() == 1000
    assert duration_ms(await all_events(shared_url, f"CUT{cut}")) == 600


async def test_messages_in_parts_and_pings_between_them(shared_url: str) -> None:
    async with raw_peer(shared_url) as peer:
        peer.writer.write(in_parts(twilio_start(call_sid="PARTS"), 3))
        for number in range(1, 31):
            peer.writer.write(in_parts(twilio_media(number), 1 + number % 3))
        peer.writer.write(text(twilio_stop()))
        answers = [(await peer.frame())[0]]
        while answers[-1] != CLOSE:
            answers.append((await peer.frame())[0])
    assert set(answers[:-1]) == {PONG}
    assert duration_ms(await all_events(shared_url, "PARTS")) == 600


async def test_a_close_amid_audio_is_answered_and_ends_the_call(shared_url: str) -> None:
    async with raw_peer(shared_url) as peer:
        goodbye = client_frame(CLOSE, (1000).to_bytes(2, "big"))
        peer.writer.write(b"".join(call("BYE")[:-1]) + goodbye + text(twilio_media(99)))
        assert await peer.close_code() == 1000
    events = await all_events(shared_url, "BYE")
    assert events[-1]["data"]["reason"] == "hung_up"
    assert duration_ms(events) == 600


def unmasked(message: str) -> bytes:
    data = message.encode()
    return bytes([0x81, 126]) + len(data).to_bytes(2, "big") + data


@pytest.mark.parametrize(
    ("name", "bad", "code"),
    [
        ("unmasked", unmasked(twilio_media(4)), 1002),
        ("unknown opcode", bytes([0x83, 0x80]) + bytes(4), 1002),
        ("reserved bit", bytes([0xC1, 0x80]) + bytes(4), 1002),
        ("not UTF-8", client_frame(TEXT, b"\xff\xfe"), 1007),
        ("too large, announced", bytes([0x81, 0xFF]) + (1 << 40).to_bytes(8, "big"), 1009),
        ("too large", client_frame(TEXT, b"x" * 70_000), 1009),
        ("ping too large", client_frame(PING, b"x" * 126), 1002),
        ("amid a message in parts", b"\x01\x80" + bytes(4) + text(twilio_media(4)), 1002),
        ("a part of nothing", client_frame(CONTINUED, b"x"), 1002),
        ("binary", client_frame(2, b"x"), 1003),
    ],
    ids=lambda value: value if isinstance(value, str) else "",  # masks are drawn anew each time
)
async def test_what_websockets_finds_wrong_ends_the_call_with_its_code(
    name: str, bad: bytes, code: int, shared_url: str
) -> None:
    async with raw_peer(shared_url) as peer:
        peer.writer.write(b"".join(call(f"BAD {name}")[:31]))
        await find_call(shared_url, f"BAD {name}")
        peer.writer.write(bad + text(twilio_media(31)))
        assert await peer.close_code() == code
    events = await all_events(shared_url, f"BAD {name}")
    assert events[-1]["type"] == "call.ended.v1"
    assert duration_ms(events) == 600


async def test_a_flood_is_taken_and_others_have_their_turn() -> None:
    flooded = {"ring_ms": 60_000, "ingest_ahead_s": 60.0}
    async with live_server(**flooded) as url, raw_peer(url) as flood, http(url) as client:
        flood.writer.write(b"".join(call("FLOOD", frames=3_000)))
        assert (await client.get("/livez")).status_code == 200
        assert await flood.close_code() == 1000
        assert duration_ms(await all_events(url, "FLOOD")) == 60_000


async def test_a_subscriber_s_messages_mean_nothing(shared_url: str) -> None:
    async with raw_peer(shared_url, "/v1/calls") as peer:
        for _ in range(3):
            peer.writer.write(client_frame(TEXT, os.urandom(50).hex().encode()))
        peer.writer.write(client_frame(PING, b"?"))
        opcodes = set[int]()
        while PONG not in opcodes:
            opcode, payload = await peer.frame()
            opcodes.add(opcode)
            if opcode == TEXT:
                assert json.loads(payload)
