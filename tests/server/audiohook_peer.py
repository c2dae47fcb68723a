"""A client of Genesys AudioHook on a real socket, as strict as the platform."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection

from streamtrace.audio.g711 import encode_mulaw
from tests.builders import tone
from tests.protocols.audiohook_messages import EXTERNAL, Client
from tests.server.peers import ws

PATH = "/v1/ingest/audiohook"
FRAME = encode_mulaw(tone(1_600))  # 200 ms at 8 kHz


class Session:
    """A client on a real socket."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.client = Client()

    async def says(self, kind: str, parameters: Any = None, **changes: Any) -> None:
        await self.socket.send(self.client.says(kind, parameters, **changes))

    async def hears(self) -> dict[str, Any]:
        async with asyncio.timeout(20):
            text = await self.socket.recv()
        assert isinstance(text, str)  # the server never sends binary
        return self.client.hears(text)

    async def opens(self, conversation_id: str, **changes: Any) -> dict[str, Any]:
        offers = changes.pop("media", [EXTERNAL])
        message = self.client.opens(*offers, conversationId=conversation_id, **changes)
        await self.socket.send(message)
        return await self.hears()

    async def speaks(self, seconds: float = 1.0) -> None:
        for _ in range(round(seconds * 5)):
            await self.socket.send(FRAME)
        self.client.position = float(self.client.position) + seconds

    async def closes(self, reason: str = "end") -> list[dict[str, Any]]:
        """All that is said up to `closed`."""
        await self.says("close", {"reason": reason})
        said = [await self.hears()]
        while said[-1]["type"] != "closed":
            said.append(await self.hears())
        return said


@asynccontextmanager
async def connected(url: str, query: str = "", **options: Any) -> AsyncIterator[Session]:
    async with ws(url, PATH + query, **options) as socket:
        yield Session(socket)
