"""Far sides of a server: plain sockets and requests, and short calls."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.http11 import Response

from streamtrace.audio.pcm16 import encode_pcm16
from streamtrace.clients.follow import EventJson, follow_call
from tests.builders import tone

FRAME = encode_pcm16(tone(320))  # 20 ms at 16 kHz


@asynccontextmanager
async def http(url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=10) as client:
        yield client


def ws(url: str, path: str, **options: Any) -> connect:
    return connect(url.replace("http", "ws", 1) + path, proxy=None, compression=None, **options)


async def place_pcm(url: str, external_id: str, *, seconds: float = 1.0) -> list[EventJson]:
    """A call as fast as it goes, hung up; all its events."""
    async with ws(url, f"/v1/ingest/pcm?external_id={external_id}") as socket:
        for _ in range(round(seconds * 50)):
            await socket.send(FRAME)
    return await all_events(url, external_id)


async def talk(socket: ClientConnection, *, seconds: float = 60.0) -> None:
    """Speak in real time, until the socket is closed."""
    for _ in range(round(seconds * 50)):
        await socket.send(FRAME)
        await asyncio.sleep(0.02)


async def all_events(url: str, external_id: str) -> list[EventJson]:
    async with asyncio.timeout(20):
        return [event async for event in follow_call(url, external_id)]


async def messages(socket: ClientConnection) -> list[dict[str, Any]]:
    """Everything that is said until the close frame."""
    got: list[dict[str, Any]] = []
    try:
        async with asyncio.timeout(20):
            while True:
                got.append(json.loads(await socket.recv()))
    except ConnectionClosed:
        return got


async def closed_with(socket: ClientConnection) -> tuple[int | None, str | None]:
    async with asyncio.timeout(20):
        await socket.wait_closed()
    return socket.close_code, socket.close_reason


async def refused_with(url: str, path: str) -> Response:
    """The answer to an upgrade that is refused."""
    with pytest.raises(InvalidStatus) as refused:
        async with ws(url, path):
            pass
    return refused.value.response


def kinds(events: list[EventJson]) -> list[str]:
    return [event["type"].removeprefix("call.").removesuffix(".v1") for event in events]


def finals(events: list[EventJson]) -> list[EventJson]:
    return [e for e in events if e["type"] == "call.score.v1" and e["data"]["is_final"]]
