"""Sends texts over an accepted WebSocket until they end, or the far side goes or takes too long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, MutableMapping
from contextlib import suppress
from typing import Any, Protocol

from starlette.websockets import WebSocketDisconnect

from streamtrace.errors import StreamTraceError
from streamtrace.sinks.channel import SlowReader

CLOSE_S = 0.5
MOST_REASON_BYTES = 120  # a close frame holds 123


class SendingSocket(Protocol):
    """What is asked of a Starlette WebSocket."""

    async def receive(self) -> MutableMapping[str, Any]:
        """The next ASGI event."""
        ...

    async def send_text(self, data: str) -> None:
        """Send one text message; waits while the far side does not read."""
        ...

    async def close(self, code: int = 1000, reason: str | None = None) -> None:
        """Send a close frame."""
        ...


async def send_all(
    socket: SendingSocket, texts: AsyncIterator[str], *, send_timeout_s: float
) -> StreamTraceError | None:
    """Send all of it. None when it came to its end or the far side left; else what went wrong."""
    sending = asyncio.create_task(_send(socket, texts, send_timeout_s))
    leaving = asyncio.create_task(_until_gone(socket))
    try:
        await asyncio.wait([sending, leaving], return_when=asyncio.FIRST_COMPLETED)
        if not sending.done():
            return None
        return sending.result()
    finally:
        for task in (sending, leaving):
            task.cancel()
        await asyncio.wait([sending, leaving])


async def send_text(socket: SendingSocket, text: str, *, within_s: float) -> None:
    """Send, or raise `SlowReader` where the far side takes nothing for so long."""
    try:
        async with asyncio.timeout(within_s):
            await socket.send_text(text)
    except TimeoutError:
        raise SlowReader(f"nothing was read for {within_s:g} s") from None


async def close(socket: SendingSocket, code: int, reason: str) -> None:
    """Close, unless the far side was first, or does not even read that."""
    with suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
        async with asyncio.timeout(CLOSE_S):
            await socket.close(code, reason.encode()[:MOST_REASON_BYTES].decode(errors="ignore"))


async def _send(
    socket: SendingSocket, texts: AsyncIterator[str], send_timeout_s: float
) -> StreamTraceError | None:
    try:
        async for text in texts:
            await send_text(socket, text, within_s=send_timeout_s)
    except StreamTraceError as problem:
        return problem
    except (WebSocketDisconnect, RuntimeError):
        return None  # gone; Starlette says the latter where a close frame was answered already
    return None


async def _until_gone(socket: SendingSocket) -> None:
    """What the far side says meanwhile means nothing here."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass
