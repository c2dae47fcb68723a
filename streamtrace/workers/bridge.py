"""Joins an outside WebSocket with one of another of our processes, message by message.

Neither side is read faster than the other takes it; close codes and reasons go through as they are.
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.client import ClientConnection, unix_connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

from streamtrace.errors import CallRejected
from streamtrace.server.problems import rejection
from streamtrace.sinks.channel import SlowReader
from streamtrace.sinks.websocket import close
from streamtrace.workers.line import ENGINE_GONE

MOST_MESSAGE_BYTES = 16 << 20  # the feed's first frame tells of many calls
MOST_MESSAGES = 4  # read and not handed on yet
CLOSE_S = 1.0
NORMAL, NO_STATUS, GONE = 1000, 1005, 1011

Headers = list[tuple[bytes, bytes]]
HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(:\d{1,5})?|\[[0-9a-fA-F:.]{2,45}\](:\d{1,5})?")
NOT_REPEATED = frozenset({b"host", b"content-length"})


async def bridge(socket: WebSocket, path: Path, headers: Headers, *, send_timeout_s: float) -> None:
    """From the request to both close frames; a refusal before the upgrade stays one."""
    query: bytes = socket.scope["query_string"]
    target: bytes = socket.scope["raw_path"] + (b"?" + query if query else b"")
    subprotocols: list[str] = socket.scope.get("subprotocols", [])
    opening = unix_connect(
        str(path),
        f"ws://{_host(headers)}" + target.decode("latin1"),
        subprotocols=subprotocols or None,
        additional_headers=[
            (name.decode("latin1"), value.decode("latin1"))
            for name, value in headers
            if name not in NOT_REPEATED and not name.startswith(b"sec-websocket-")
        ],
        user_agent_header=None,
        compression=None,
        close_timeout=CLOSE_S,
        max_size=MOST_MESSAGE_BYTES,
        max_queue=MOST_MESSAGES,
        ping_interval=None,  # when the other process dies, so does its socket
    )
    try:
        inner = await opening
    except InvalidStatus as refused:
        await socket.send_denial_response(_refusal(refused))
        return
    except (OSError, InvalidHandshake, InvalidURI, EOFError):
        await socket.send_denial_response(rejection(CallRejected(ENGINE_GONE)).response())
        return
    async with inner:
        await socket.accept(inner.subprotocol)
        await _join(socket, inner, send_timeout_s)


def _host(headers: Headers) -> str:
    """As the caller named us: whoever judges the page that it comes from compares the two."""
    given = dict(headers).get(b"host", b"").decode("latin1")
    return given if HOST.fullmatch(given) else "engine"


async def _join(socket: WebSocket, inner: ClientConnection, send_timeout_s: float) -> None:
    outward = asyncio.create_task(_outward(socket, inner, send_timeout_s))
    inward = asyncio.create_task(_inward(socket, inner))
    try:
        await asyncio.wait([outward, inward], return_when=asyncio.FIRST_COMPLETED)
        if outward.done() or not await inward:
            await close(socket, *await outward)
    finally:
        for task in (outward, inward):
            task.cancel()
        await asyncio.wait([outward, inward])


async def _outward(
    socket: WebSocket, inner: ClientConnection, send_timeout_s: float
) -> tuple[int, str]:
    """What is said inside; how to close in the end."""
    try:
        while True:
            message = await inner.recv()
            async with asyncio.timeout(send_timeout_s):
                if isinstance(message, str):
                    await socket.send_text(message)
                else:
                    await socket.send_bytes(message)
    except TimeoutError:
        return SlowReader.close_code, "slow_consumer"
    except (WebSocketDisconnect, RuntimeError):
        return NORMAL, ""  # gone; Starlette says the latter where a close frame was answered
    except ConnectionClosed as closed:
        if closed.rcvd is None:
            return GONE, "the server went away"
        code = closed.rcvd.code
        return NORMAL if code == NO_STATUS else code, closed.rcvd.reason


async def _inward(socket: WebSocket, inner: ClientConnection) -> bool:
    """What is said outside; whether it was the outside that left."""
    while (message := await socket.receive())["type"] != "websocket.disconnect":
        text: str | None = message.get("text")
        try:
            await inner.send(text if text is not None else message["bytes"])
        except ConnectionClosed:
            return False
    return True


def _refusal(refused: InvalidStatus) -> Response:
    answer = refused.response
    media_type = answer.headers.get("content-type")
    retry_after = answer.headers.get("retry-after")
    return Response(
        bytes(answer.body or b""),
        answer.status_code,
        {} if retry_after is None else {"retry-after": retry_after},
        media_type,
    )
