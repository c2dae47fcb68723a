"""Media streams in over WebSockets: one route a dialect, one way to run them all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog
from fastapi import APIRouter
from starlette.websockets import WebSocket, WebSocketDisconnect

from streamtrace.errors import CallRejected, ProtocolViolation
from streamtrace.protocols.ingest import MediaStream
from streamtrace.protocols.pcm import SUBPROTOCOLS, PcmStream
from streamtrace.protocols.twilio import TwilioStream
from streamtrace.server.direct import take_directly
from streamtrace.server.problems import Refusal, rejection
from streamtrace.server.query import flag, name, whole
from streamtrace.server.switchboard import IngestCall, Switchboard
from streamtrace.sinks.channel import SlowReader
from streamtrace.sinks.websocket import close, send_text
from streamtrace.sources.ring import AudioRing
from streamtrace.sources.websocket import CLOSE_CODES, SocketPatience, WebSocketSource
from streamtrace.values import EndReason

log = structlog.get_logger()


def routes(board: Switchboard) -> APIRouter:
    """`/v1/ingest/…`."""
    ingest = Ingest(board)
    router = APIRouter()
    router.add_api_websocket_route("/v1/ingest/twilio", ingest.twilio)
    router.add_api_websocket_route("/v1/ingest/pcm", ingest.pcm)
    return router


class Ingest:
    """Refuses before the upgrade what cannot be taken; closes with a code what goes wrong later."""

    def __init__(self, board: Switchboard) -> None:
        self._board = board
        self._patience = SocketPatience(
            start_s=board.settings.start_timeout_s, idle_s=board.settings.media_idle_timeout_s
        )

    async def twilio(self, socket: WebSocket) -> None:
        """Twilio Media Streams."""
        await self._take(socket, "twilio", TwilioStream)

    async def pcm(self, socket: WebSocket) -> None:
        """Bare PCM16: `?rate=&channels=&external_id=&line=&events=1`."""

        def stream() -> PcmStream:
            try:
                return PcmStream(
                    whole(socket, "rate", 16_000),
                    whole(socket, "channels", 1),
                    name(socket, "external_id"),
                )
            except ProtocolViolation as violation:
                raise Refusal(422, str(violation)) from None

        await self._take(socket, "pcm", stream)

    async def _take(
        self, socket: WebSocket, protocol: str, dialect: Callable[[], MediaStream]
    ) -> None:
        """One connection from its request to its close frame."""
        board = self._board
        try:
            stream, line, wants_events = dialect(), name(socket, "line"), flag(socket, "events")
            async with board.seat() as seat:
                await socket.accept(_subprotocol(socket))
                source = self._source(stream)
                try:
                    if not take_directly(socket, source):
                        board.spawn(source.read(socket))
                    began = await source.began()
                    if began is not None:
                        line = began.parameters.get("line", line)
                    call = await seat.start_call(
                        external_id=began and began.external_id, line=line, protocol=protocol
                    )
                    await self._run(socket, source, call, wants_events=wants_events)
                    await close(socket, *_ending(call))
                finally:
                    source.close()
        except Refusal as refusal:
            await _refuse(socket, refusal)
        except CallRejected as cause:
            await _refuse(socket, rejection(cause))

    def _source(self, stream: MediaStream) -> WebSocketSource:
        ring = AudioRing(
            most_age_s=self._board.settings.ring_ms / 1000,
            on_drop=self._board.audio_dropped,
        )
        return WebSocketSource(stream, self._board.clock, self._patience, ring)

    async def _run(
        self, socket: WebSocket, source: WebSocketSource, call: IngestCall, *, wants_events: bool
    ) -> None:
        """Run the call and, where it was asked for, say on the same socket what is heard."""
        if not wants_events:
            await call.run(source)
            return
        send_timeout_s = self._board.settings.send_timeout_s
        telling = self._board.spawn(_tell(socket, call, send_timeout_s))
        try:
            await call.run(source)
            await asyncio.wait([telling])  # it ends behind the last event
        finally:
            telling.cancel()


async def _tell(socket: WebSocket, call: IngestCall, send_timeout_s: float) -> None:
    """Scores and the end, until the far side is gone or does not read."""
    try:
        async for text in call.scores():
            await send_text(socket, text, within_s=send_timeout_s)
    except (WebSocketDisconnect, RuntimeError):
        pass
    except SlowReader:
        log.warning("events not read by the far side", call_id=call.id)


def _ending(call: IngestCall) -> tuple[int, str]:
    """Close code and reason."""
    if call.failure is not None:
        return call.failure.close_code, str(call.failure)
    reason = call.reason or EndReason.SOURCE_LOST
    return CLOSE_CODES[reason], reason.value


def _subprotocol(socket: WebSocket) -> str | None:
    offered: list[str] = socket.scope.get("subprotocols", [])
    return next((one for one in SUBPROTOCOLS if one in offered), None)


async def _refuse(socket: WebSocket, refusal: Refusal) -> None:
    """As an HTTP answer if the socket is not accepted yet, else by a close frame."""
    if socket.application_state.name == "CONNECTING":
        await socket.send_denial_response(refusal.response())
    else:
        await close(socket, CallRejected.close_code, refusal.detail)
