"""Calls over AudioSocket: plain TCP connections, each named by a UUID that was announced before."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import cast

import structlog

from streamtrace.errors import CallRejected
from streamtrace.protocols.audiosocket import HANG_UP_FRAME, PROTOCOL, AudioSocketStream
from streamtrace.server.listening import BACKLOG
from streamtrace.server.switchboard import Switchboard
from streamtrace.sources.flow import FlowLimits
from streamtrace.sources.ring import AudioRing
from streamtrace.sources.together import Together
from streamtrace.sources.websocket import MessageSource, SocketPatience
from streamtrace.values import EndReason

log = structlog.get_logger()

UUID_WITHIN_S = 2.0  # Asterisk sends it at once
MOST_UNNAMED = 256  # connections that have not said yet which call they are
MUCH_BYTES = 16_384  # more at once is no live call


@asynccontextmanager
async def taking_audiosocket(
    board: Switchboard, listener: socket.socket | None
) -> AsyncGenerator[None]:
    """Take calls on the bound socket, if there is one."""
    if listener is None:
        yield
        return
    door = AudioSocketDoor(board)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: AudioSocketConnection(door), sock=listener, backlog=BACKLOG
    )
    try:
        yield
    finally:
        server.close()
        door.close()


class AudioSocketDoor:
    """What the connections share; nobody has a seat before it is known which call it is."""

    def __init__(self, board: Switchboard) -> None:
        self.board = board
        self.unnamed: set[AudioSocketConnection] = set()
        self.connected: set[AudioSocketConnection] = set()
        self._patience = SocketPatience(
            start_s=min(UUID_WITHIN_S, board.settings.start_timeout_s),
            idle_s=board.settings.media_idle_timeout_s,
        )
        self._limits = FlowLimits.of(board.settings)
        self._together = Together()

    def source(self, stream: AudioSocketStream) -> MessageSource:
        """For a new connection; AudioSocket has no replies."""
        board = self.board
        ring = AudioRing(most_age_s=board.settings.ring_ms / 1000, on_drop=board.audio_dropped)
        return MessageSource(
            stream, board.clock, self._patience, ring, lambda _: None, self._limits, self._together
        )

    def close(self) -> None:
        """The server is down: nobody is left."""
        for connection in tuple(self.connected):
            connection.hang_up()


class AudioSocketConnection(asyncio.Protocol):
    """One call, from its connection to its end; taking its bytes never waits."""

    def __init__(self, door: AudioSocketDoor) -> None:
        self._door = door
        self._stream = AudioSocketStream()
        self._source = door.source(self._stream)
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody is there."""
        self._transport = cast("asyncio.Transport", transport)
        self._door.connected.add(self)
        if len(self._door.unnamed) >= MOST_UNNAMED:
            log.warning("audiosocket connection refused", why=f"{MOST_UNNAMED} wait for a UUID")
            self._source.close()
            self.hang_up()
            return
        self._door.unnamed.add(self)
        self._door.board.spawn(self._serve())

    def data_received(self, data: bytes) -> None:
        """The next piece of the stream, in parts: a flood is found out before all is read."""
        for at in range(0, len(data), MUCH_BYTES):
            self._source.take(data[at : at + MUCH_BYTES])

    def eof_received(self) -> None:
        """How Asterisk hangs up: it just closes, between two frames."""
        self._source.catch_up()
        is_cut = self._stream.is_amid_frame
        self._source.leave(EndReason.SOURCE_LOST if is_cut else EndReason.HUNG_UP)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is there any more."""
        self._source.leave(EndReason.SOURCE_LOST)
        self._door.connected.discard(self)

    def hang_up(self) -> None:
        """Say so, unless the far side was first."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(HANG_UP_FRAME)
            self._transport.close()

    async def _serve(self) -> None:
        try:
            began = await self._source.began()
            self._door.unnamed.discard(self)
            if began is None:
                self._say_unnamed()
            else:
                await self._run(began.external_id)
        finally:
            self._door.unnamed.discard(self)
            self._source.close()
            self.hang_up()

    async def _run(self, uuid: str | None) -> None:
        try:
            async with self._door.board.seat() as seat:
                call = await seat.start_call(external_id=uuid, line=None, protocol=PROTOCOL)
                await call.run(self._source)
                self.hang_up()  # before a drain may go on
        except CallRejected as cause:
            log.warning("audiosocket call refused", external_id=uuid, why=str(cause))

    def _say_unnamed(self) -> None:
        """It was no call; who only looks whether the port is open is not worth a line."""
        violation = self._source.violation
        if violation is not None:
            log.warning("audiosocket connection refused", why=str(violation))
        elif self._transport is not None and not self._transport.is_closing():
            log.warning("audiosocket connection refused", why="no UUID came in time")
