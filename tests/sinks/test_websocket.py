"""Sending over a WebSocket: to the end, until the far side goes, or until it takes too long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, MutableMapping
from typing import Any

from starlette.websockets import WebSocketDisconnect

from streamtrace.sinks.channel import SlowReader
from streamtrace.sinks.websocket import close, send_all


class Peer:
    """The far side of a socket: it takes texts until told otherwise."""

    def __init__(self) -> None:
        self.got: list[str] = []
        self.gone = asyncio.Event()
        self.reads = asyncio.Event()
        self.reads.set()
        self.closed: tuple[int, str | None] | None = None

    async def receive(self) -> MutableMapping[str, Any]:
        if not self.got:
            return {"type": "websocket.receive", "text": "hello"}
        await self.gone.wait()
        return {"type": "websocket.disconnect"}

    async def send_text(self, data: str) -> None:
        await self.reads.wait()
        if self.gone.is_set():
            raise WebSocketDisconnect(1006)
        self.got.append(data)

    async def close(self, code: int = 1000, reason: str | None = None) -> None:
        if self.gone.is_set():
            raise RuntimeError
        self.closed = (code, reason)


async def texts(*given: str, then: asyncio.Event | None = None) -> AsyncIterator[str]:
    for one in given:
        yield one
    if then is not None:
        await then.wait()


async def test_all_is_sent() -> None:
    peer = Peer()
    assert await send_all(peer, texts("a", "b"), send_timeout_s=1) is None
    assert peer.got == ["a", "b"]


async def test_it_stops_when_the_far_side_goes() -> None:
    peer = Peer()
    never = asyncio.Event()
    sending = asyncio.create_task(send_all(peer, texts("a", then=never), send_timeout_s=1))
    await asyncio.sleep(0.01)
    peer.gone.set()
    assert await sending is None


async def test_a_far_side_that_does_not_read_is_given_up() -> None:
    peer = Peer()
    peer.got.append("so far")
    peer.reads.clear()
    problem = await send_all(peer, texts("a"), send_timeout_s=0.01)
    assert isinstance(problem, SlowReader)


async def test_what_goes_wrong_with_the_texts_is_told() -> None:
    async def broken() -> AsyncIterator[str]:
        yield "a"
        raise SlowReader("behind")

    assert isinstance(await send_all(Peer(), broken(), send_timeout_s=1), SlowReader)


async def test_closing_twice_is_harmless_and_reasons_fit() -> None:
    peer = Peer()
    await close(peer, 1000, "é" * 200)
    assert peer.closed is not None
    assert len((peer.closed[1] or "").encode()) <= 123
    peer.gone.set()
    await close(peer, 1000, "")
