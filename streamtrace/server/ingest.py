"""Media streams in over WebSockets: one way to run them all, whatever dialect they speak."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import structlog
from starlette.websockets import WebSocket, WebSocketDisconnect

from streamtrace.errors import CallRejected
from streamtrace.protocols.ingest import MediaStream
from streamtrace.server.direct import take_directly
from streamtrace.server.problems import Refusal, rejection
from streamtrace.server.query import name
from streamtrace.server.switchboard import IngestCall, Switchboard
from streamtrace.sinks.channel import SlowReader
from streamtrace.sinks.outbox import Outbox
from streamtrace.sinks.websocket import close
from streamtrace.sources.ring import AudioRing
from streamtrace.sources.websocket import CLOSE_CODES, SocketPatience, WebSocketSource
from streamtrace.values import EndReason

log = structlog.get_logger()


class Ingest:
    """Refuses before the upgrade what cannot be taken; closes with a code what goes wrong later."""

    def __init__(self, board: Switchboard) -> None:
        self.settings = board.settings
        self._board = board
        self._patience = SocketPatience(
            start_s=board.settings.start_timeout_s, idle_s=board.settings.media_idle_timeout_s
        )

    async def take(
        self,
        socket: WebSocket,
        protocol: str,
        dialect: Callable[[], MediaStream],
        *,
        subprotocols: Sequence[str] = (),
    ) -> None:
        """One connection from its request to its close frame; `dialect` may raise `Refusal`."""
        board = self._board
        try:
            stream, line = dialect(), name(socket, "line")
            async with board.seat() as seat:
                await socket.accept(_subprotocol(socket, subprotocols))
                outbox = Outbox(socket, send_timeout_s=board.settings.send_timeout_s)
                sending = board.spawn(_send(outbox, protocol))
                source = self._source(stream, outbox)
                try:
                    if not take_directly(socket, source):
                        board.spawn(source.read(socket))
                    began = await source.began()
                    if began is not None:
                        line = began.parameters.get("line", line)
                    call = await seat.start_call(
                        external_id=began and began.external_id, line=line, protocol=protocol
                    )
                    await self._run(source, stream, call, outbox)
                    await outbox.close()
                    await asyncio.wait([sending])
                    await close(socket, *_ending(call))
                finally:
                    source.close()
                    sending.cancel()
        except Refusal as refusal:
            await _refuse(socket, refusal)
        except CallRejected as cause:
            await _refuse(socket, rejection(cause))

    def _source(self, stream: MediaStream, outbox: Outbox) -> WebSocketSource:
        ring = AudioRing(
            most_age_s=self._board.settings.ring_ms / 1000,
            on_drop=self._board.audio_dropped,
        )
        return WebSocketSource(stream, self._board.clock, self._patience, ring, outbox.say)

    async def _run(
        self, source: WebSocketSource, stream: MediaStream, call: IngestCall, outbox: Outbox
    ) -> None:
        """Run the call, say on the same socket what its dialect tells, and then its last words."""
        telling = self._board.spawn(_tell(stream, call, outbox)) if stream.tells else None
        try:
            await call.run(source)
            if telling is not None:
                await asyncio.wait([telling])  # it ends behind the last event
        finally:
            if telling is not None:
                telling.cancel()
        problem = None if call.failure is None else str(call.failure)
        for text in stream.farewell(call.reason or EndReason.SOURCE_LOST, problem):
            await outbox.put(text)


async def _tell(stream: MediaStream, call: IngestCall, outbox: Outbox) -> None:
    """Scores and the end, as the dialect puts them."""
    async for event in call.scores():
        text = stream.report(event)
        if text is not None:
            await outbox.put(text)


async def _send(outbox: Outbox, protocol: str) -> None:
    """Until all is said, or the far side is gone or does not read."""
    try:
        await outbox.run()
    except (WebSocketDisconnect, RuntimeError):
        pass  # the source hears of it too
    except SlowReader:
        log.warning("the far side does not read what it is sent", protocol=protocol)


def _ending(call: IngestCall) -> tuple[int, str]:
    """Close code and reason."""
    if call.failure is not None:
        return call.failure.close_code, str(call.failure)
    reason = call.reason or EndReason.SOURCE_LOST
    return CLOSE_CODES[reason], reason.value


def _subprotocol(socket: WebSocket, known: Sequence[str]) -> str | None:
    offered: list[str] = socket.scope.get("subprotocols", [])
    return next((one for one in known if one in offered), None)


async def _refuse(socket: WebSocket, refusal: Refusal) -> None:
    """As an HTTP answer if the socket is not accepted yet, else by a close frame."""
    if socket.application_state.name == "CONNECTING":
        await socket.send_denial_response(refusal.response())
    else:
        await close(socket, CallRejected.close_code, refusal.detail)
