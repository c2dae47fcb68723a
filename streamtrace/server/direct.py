"""uvicorn's WebSocket with a short way in: messages go straight from the socket to who takes them.

An ASGI message costs a queue, two task switches and a pause of the socket, fifty times a second and
call. A stream in needs none of it, since whoever takes its messages never waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol

from starlette.websockets import WebSocket
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import (
    Frame,
    Opcode,
    apply_mask,  # pyright: ignore[reportPrivateImportUsage]
)
from websockets.http11 import Request
from websockets.protocol import OPEN

EXTENSION = "streamtrace.direct"  # in the scope of a connection that can be taken from directly

LEAST_HEAD = 6  # bytes of a masked frame's header: two, and the mask
WHOLE_TEXT, WHOLE_BINARY = 0x81, 0x82  # first byte of a message in one frame
PLAIN = (WHOLE_TEXT, WHOLE_BINARY)
MASKED = 0x80
# More than this at once is no live call: then other connections have their turn first.
MUCH_BYTES = 16_384


class Taker(Protocol):
    """Takes messages as they come; never waits."""

    def take(self, message: str | bytes) -> None:
        """A whole message."""
        ...

    def take_event(self, event: Mapping[str, Any]) -> None:
        """The same, or the far side's going, as an ASGI event."""
        ...


def take_directly(socket: WebSocket, taker: Taker) -> bool:
    """From now on the accepted socket's messages go to the taker; False if this server cannot."""
    divert = socket.scope["extensions"].get(EXTENSION)
    if divert is None:
        return False
    divert(taker)
    return True


class DirectWebSocket(WebSocketsSansIOProtocol):
    """A message that is one frame is read here; all else websockets reads, from whole frames.

    What a peer can do wrong is left to websockets to find, so nothing is judged in two places: a
    header that is not plain goes there with all that follows.
    """

    _taker: Taker | None = None
    _part = b""  # of a frame that has not come whole
    _is_plain = False  # from the upgrade on, until something is wrong

    def handle_connect(self, event: Request) -> None:
        """Offer the short way to the application."""
        super().handle_connect(event)
        if not self.close_sent:
            self._is_plain = True
            self.scope["extensions"][EXTENSION] = self._divert  # pyright: ignore

    def data_received(self, data: bytes) -> None:
        """Whole frames, one after another; what is left waits for its rest."""
        if not self._is_plain:
            super().data_received(data)
            return
        if self._part:
            data, self._part = self._part + data, b""
        at, have = 0, len(data)
        while have - at >= 2:
            length, head = data[at + 1] - MASKED, LEAST_HEAD
            if length == 126:
                length, head = int.from_bytes(data[at + 2 : at + 4], "big"), 8
            elif length == 127:
                length, head = int.from_bytes(data[at + 2 : at + 10], "big"), 14
            if length < 0 or (length > self.config.ws_max_size and have - at >= head):
                self._is_plain = False
                super().data_received(data[at:])
                return
            end = at + head + length
            if end > have:
                break
            message = self._message(data, at, at + head, end)
            if message is None:
                super().data_received(data[at:end])
            else:
                assert self._taker is not None
                self._taker.take(message)
            at = end
        if at < have:
            self._part = data[at:]
        if have > MUCH_BYTES and not self.read_paused and not self.transport.is_closing():
            self.transport.pause_reading()
            self.loop.call_soon(self._go_on_reading)

    def handle_pong(self, event: Frame) -> None:
        """Any pong says that the far side is there; LiveKit answers pings in its own words."""
        if self.pending_ping_payload is not None:
            event = Frame(Opcode.PONG, self.pending_ping_payload)
        super().handle_pong(event)

    def send_receive_event_to_app(self) -> None:
        """A message that came in parts: who takes directly needs no pause behind it."""
        super().send_receive_event_to_app()
        if self._taker is not None:
            self._go_on_reading()

    def _message(self, data: bytes, at: int, body: int, end: int) -> str | bytes | None:
        """The message that this whole frame is, if the taker is to have it from here."""
        first = data[at]
        if (
            first not in PLAIN
            or self._taker is None
            or self.conn.state is not OPEN
            or self.conn.current_size is not None  # amid a message in parts
            or self.close_sent
        ):
            return None
        payload = apply_mask(data[body:end], data[body - 4 : body])
        if first == WHOLE_BINARY:
            return payload
        try:
            return payload.decode()
        except UnicodeDecodeError:
            return None

    def _divert(self, taker: Taker) -> None:
        """What came before goes first."""
        self._taker = taker
        before, self.queue = self.queue, _Straight(taker)
        while not before.empty():
            taker.take_event(before.get_nowait())
        self._go_on_reading()

    def _go_on_reading(self) -> None:
        self.read_paused = False
        if not self.transport.is_closing():
            self.transport.resume_reading()


class _Straight(asyncio.Queue[Any]):
    """Where uvicorn puts its events; nothing ever lies in it."""

    def __init__(self, taker: Taker) -> None:
        super().__init__()
        self._taker = taker

    def put_nowait(self, item: Any) -> None:
        self._taker.take_event(item)
