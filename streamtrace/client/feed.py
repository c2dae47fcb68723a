"""A feed that goes on by itself: connect, read, and after any disconnect resume where it was."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from typing import Generic, Protocol, Self, TypeVar

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from streamtrace.client.backoff import Backoff
from streamtrace.errors import StreamTraceError, Unreachable

ItemT = TypeVar("ItemT")
ItemT_co = TypeVar("ItemT_co", covariant=True)

NORMAL = 1000


class Reader(Protocol[ItemT_co]):
    """What a feed follows."""

    @property
    def ended(self) -> bool:
        """Nothing follows what was read."""
        ...

    async def connect(self) -> tuple[ClientConnection, ItemT_co | None]:
        """A socket that goes on behind what was read, and what is to be said of it first.

        `Unreachable` where trying again may help; any other error ends the feed.
        """
        ...

    def take(self, text: str | bytes) -> ItemT_co | None:
        """What a text says, if it is new."""
        ...

    async def is_over(self) -> bool:
        """Whether a socket that was closed in order means that nothing follows."""
        ...


class Feed(Generic[ItemT]):
    """Every item once and in order, through every disconnect: `async for item in feed`.

    While it has no server it tries again, ever less often, as long as the client is patient.
    `trouble` says in words why nothing comes. Who leaves the loop early closes with `aclose`, or
    leaves it to the client's own end.
    """

    def __init__(
        self,
        reader: Reader[ItemT],
        *,
        backoff: Backoff,
        patience_s: float | None,
    ) -> None:
        self.trouble: str | None = "connecting"
        self.connections = 0  # so far
        self._reader = reader
        self._backoff = backoff
        self._patience_s = patience_s
        self._socket: ClientConnection | None = None
        self._failures = 0  # in a row, without a word between them
        self._lost_at_s: float | None = None
        self._closing = asyncio.Event()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ItemT:
        try:
            while not (self.is_closed or self._reader.ended):
                if self._socket is None:
                    item = await self._connected()
                else:
                    item = await self._next(self._socket)
                if item is not None:
                    return item
        except StreamTraceError:
            was_closed = self.is_closed
            await self.aclose()
            if not was_closed:
                raise
        await self.aclose()
        raise StopAsyncIteration

    @property
    def is_closed(self) -> bool:
        """Nothing more comes."""
        return self._closing.is_set()

    async def aclose(self) -> None:
        """Hang up; whoever waits for an item is told that there is none."""
        self._closing.set()
        socket, self._socket = self._socket, None
        if socket is not None:
            await socket.close()

    async def _connected(self) -> ItemT | None:
        try:
            socket, item = await self._reader.connect()
        except Unreachable as cause:
            await self._wait(str(cause), cause)
            return None
        if self.is_closed:
            await socket.close()
            return None
        self._socket = socket
        self.connections += 1
        self.trouble = None
        return item

    async def _next(self, socket: ClientConnection) -> ItemT | None:
        try:
            text = await socket.recv()
        except ConnectionClosed as closed:
            self._socket = None
            said = closed.rcvd
            in_order = said is not None and said.code == NORMAL
            if self.is_closed or (in_order and await self._is_over()):
                self._closing.set()
                return None
            why = "vanished" if said is None else f"closed the feed ({said.code} {said.reason})"
            await self._wait(f"the server {why}", closed)
            return None
        self._failures, self._lost_at_s = 0, None  # any word will do: that it is open says little
        return self._reader.take(text)

    async def _is_over(self) -> bool:
        try:
            return await self._reader.is_over()
        except Unreachable:
            return False

    async def _wait(self, trouble: str, cause: Exception) -> None:
        """Before the next try; gives up with `Unreachable` where that is too late."""
        now_s = asyncio.get_running_loop().time()
        self.trouble = trouble
        self._failures += 1
        if self._lost_at_s is None:
            self._lost_at_s = now_s
        wait_s = self._backoff.wait_s(self._failures, random.random())
        if self._patience_s is not None and now_s + wait_s > self._lost_at_s + self._patience_s:
            raise Unreachable(f"given up after {self._patience_s:g} s: {trouble}") from cause
        with suppress(TimeoutError):  # or whoever waits would learn late that it is closed
            async with asyncio.timeout(wait_s):
                await self._closing.wait()
