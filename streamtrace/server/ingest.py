"""Media streams in over WebSockets: one route a dialect, one way to run them all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import structlog
from fastapi import APIRouter
from starlette.websockets import WebSocket, WebSocketDisconnect

from streamtrace.errors import CallRejected, ProtocolViolation
from streamtrace.events.wire import CALL_ENDED
from streamtrace.protocols.ingest import MediaStream
from streamtrace.protocols.pcm import SUBPROTOCOLS, PcmStream
from streamtrace.protocols.twilio import TwilioStream
from streamtrace.server.direct import take_directly
from streamtrace.server.live_call import LiveCall
from streamtrace.server.problems import Refusal, rejection
from streamtrace.server.query import flag, name, whole
from streamtrace.server.state import ServerState
from streamtrace.sinks.channel import SlowReader
from streamtrace.sinks.websocket import close, send_text
from streamtrace.sources.ring import AudioRing
from streamtrace.sources.websocket import CLOSE_CODES, SocketPatience, WebSocketSource
from streamtrace.values import EndReason

log = structlog.get_logger()

WAIT_S = 60.0  # between looks whether a call has said anything


def routes(state: ServerState) -> APIRouter:
    """`/v1/ingest/…`."""
    ingest = Ingest(state)
    router = APIRouter()
    router.add_api_websocket_route("/v1/ingest/twilio", ingest.twilio)
    router.add_api_websocket_route("/v1/ingest/pcm", ingest.pcm)
    return router


class Ingest:
    """Refuses before the upgrade what cannot be taken; closes with a code what goes wrong later."""

    def __init__(self, state: ServerState) -> None:
        self._state = state
        self._patience = SocketPatience(
            start_s=state.settings.start_timeout_s, idle_s=state.settings.media_idle_timeout_s
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
        state = self._state
        try:
            stream, line, wants_events = dialect(), name(socket, "line"), flag(socket, "events")
            with state.streaming(), state.seat() as seat:
                await socket.accept(_subprotocol(socket))
                source = self._source(stream)
                try:
                    if not take_directly(socket, source):
                        state.spawn(source.read(socket))
                    began = await source.began()
                    if began is not None:
                        line = began.parameters.get("line", line)
                    seat.leave()
                    live = state.start_call(
                        external_id=began and began.external_id, line=line, protocol=protocol
                    )
                    await self._run(socket, source, live, wants_events=wants_events)
                    await close(socket, *_ending(live))
                finally:
                    source.close()
        except Refusal as refusal:
            await _refuse(socket, refusal)
        except CallRejected as cause:
            await _refuse(socket, rejection(cause))

    def _source(self, stream: MediaStream) -> WebSocketSource:
        ring = AudioRing(
            most_age_s=self._state.settings.ring_ms / 1000,
            on_drop=self._state.metrics.audio_dropped_seconds.inc,
        )
        return WebSocketSource(stream, self._state.clock, self._patience, ring)

    async def _run(
        self, socket: WebSocket, source: WebSocketSource, live: LiveCall, *, wants_events: bool
    ) -> None:
        """Run the call and, where it was asked for, say on the same socket what is heard."""
        if not wants_events:
            await self._state.run(source, live)
            return
        send_timeout_s = self._state.settings.send_timeout_s
        telling = self._state.spawn(_tell(socket, live, send_timeout_s))
        try:
            await self._state.run(source, live)
            await asyncio.wait([telling])  # it ends behind the last event
        finally:
            telling.cancel()


async def _tell(socket: WebSocket, live: LiveCall, send_timeout_s: float) -> None:
    """Scores and the end, until the far side is gone or does not read."""
    try:
        async for text in _scores(live):
            await send_text(socket, text, within_s=send_timeout_s)
    except (WebSocketDisconnect, RuntimeError):
        pass
    except SlowReader:
        log.warning("events not read by the far side", call_id=live.id)


async def _scores(live: LiveCall) -> AsyncIterator[str]:
    with live.channel.reader() as reader:
        while not reader.ended:
            for event in await reader.next_events(WAIT_S):
                if event.is_score or event.type == CALL_ENDED:
                    yield event.text


def _ending(live: LiveCall) -> tuple[int, str]:
    """Close code and reason."""
    if live.failure is not None:
        return live.failure.close_code, str(live.failure)
    reason = live.reason or EndReason.SOURCE_LOST
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
