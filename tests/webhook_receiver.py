"""A receiver of webhooks on a loopback port: real HTTP, and whatever answer a test wants."""

from __future__ import annotations

import asyncio
import json
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

SECRET = "whsec_" + b64encode(bytes(range(32))).decode()
NEWER = "whsec_" + b64encode(bytes(range(32, 64))).decode()


def http(status: int, *headers: str, body: bytes = b"") -> bytes:
    """The whole of an answer."""
    head = [f"HTTP/1.1 {status} X", *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(head).encode() + body


@dataclass(frozen=True, slots=True)
class Received:
    """One request."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        return json.loads(self.body)


@dataclass(slots=True)
class Receiver:
    """`answers` are given in turn, the last of them for ever; each is a whole answer of HTTP."""

    port: int = 0
    answers: list[bytes] = field(default_factory=lambda: [b"HTTP/1.1 204 No Content\r\n\r\n"])
    received: list[Received] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)
    writers: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def types(self) -> list[str]:
        return [one.event["type"] for one in self.received]

    def answer(self, *statuses: int | bytes) -> None:
        """From now on."""
        self.answers = [one if isinstance(one, bytes) else http(one) for one in statuses]

    async def until(self, count: int) -> list[Received]:
        """So many have come."""
        async with asyncio.timeout(30):
            while len(self.received) < count:
                self.came.clear()
                await self.came.wait()
        return self.received

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.writers.add(writer)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            line, *rest = head.strip().split("\r\n")
            pairs = (one.partition(":") for one in rest)
            headers = {name.lower(): value.strip() for name, _, value in pairs}
            body = await reader.readexactly(int(headers["content-length"]))
            self.received.append(Received(line, headers, body))
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            self.came.set()
            writer.write(answer)
            await writer.drain()
            if b"\r\n\r\n" not in answer:  # says no more, for ever
                await reader.read()
        writer.close()


@asynccontextmanager
async def receiver(
    *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[Receiver]:
    """It listens."""
    one = Receiver()
    server = await asyncio.start_server(one.serve, host, port, ssl=tls)
    one.port = server.sockets[0].getsockname()[1]
    async with server:
        yield one
        for writer in one.writers:
            writer.close()


def table(one: Receiver, **given: Any) -> dict[str, Any]:
    """Its place in the settings."""
    return {"url": one.url, "secret": SECRET, **given}


LOOPBACK = ("127.0.0.0/8",)
