"""Media streams in over WebSockets: one way to run them all, whatever dialect they speak."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import structlog
from starlette.websockets import WebSocket, WebSocketDisconnect

from streamtrace.errors import CallRejected
from streamtrace.protocols.ingest import WRONG_STREAM, MediaStream, Started
from streamtrace.server.direct import take_directly
from streamtrace.server.problems import Refusal, rejection
from streamtrace.server.query import name
from streamtrace.server.switchboard import IngestCall, Switchboard
from streamtrace.sinks.channel import SlowReader
from streamtrace.sinks.outbox import Outbox
from streamtrace.sinks.websocket import close
from streamtrace.sources.flow import FlowLimits
from streamtrace.sources.ring import AudioRing
from streamtrace.sources.together import Together
from streamtrace.sources.websocket import CLOSE_CODES, SocketPatience, WebSocketSource
from streamtrace.values import EndReason

log = structlog.get_logger()

MOST_DENIED = 64  # who are told so at once
UNTAKEN = EndReason.SOURCE_LOST  # of what the server cannot take, or not take further


class Ingest:
    """Refuses before the upgrade what cannot be taken; closes with a code what goes wrong later."""

    def __init__(self, board: Switchboard) -> None:
        self.settings = board.settings
        self.clock = board.clock
        self.take_nonce = board.take_nonce
        self._denied = 0
        self._together = Together()
        self._board = board
        settings = board.settings
        self._patience = SocketPatience(
            start_s=settings.start_timeout_s,
            idle_s=settings.media_idle_timeout_s,
            quiet_s=settings.call_max_s,
        )
        self._limits = FlowLimits.of(settings)

    async def take(
        self,
        socket: WebSocket,
        protocol: str,
        dialect: Callable[[], MediaStream],
        *,
        subprotocols: Sequence[str] = (),
        admit: Callable[[Started], None] | None = None,
    ) -> None:
        """One connection from its request to its close frame.

        `dialect` may raise `Refusal`, and `admit` a `CallRejected` for what the stream says first.
        """
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
                    if began is None and not stream.is_call:
                        await _part(source, stream, outbox, sending, source.ending)
                        await close(socket, CLOSE_CODES[source.ending], source.ending.value)
                        return
                    if began is not None:
                        line = began.parameters.get("line", line)
                        if admit is not None:
                            admit(began)
                        protocol = began.protocol or protocol
                    try:
                        call = await seat.start_call(
                            external_id=began and began.external_id,
                            line=line,
                            protocol=protocol,
                            stream_id=began and began.stream_id,
                        )
                    except CallRejected as cause:
                        await _part(source, stream, outbox, sending, UNTAKEN, str(cause))
                        raise
                    await self._run(source, stream, call, outbox)
                    problem = None if call.failure is None else str(call.failure)
                    await _part(source, stream, outbox, sending, call.reason or UNTAKEN, problem)
                    await close(socket, *_ending(call))
                finally:
                    source.close()
                    sending.cancel()
        except Refusal as refusal:
            log.warning(
                "stream refused", protocol=protocol, status=refusal.status, why=refusal.detail
            )
            await socket.send_denial_response(refusal.response())
        except CallRejected as cause:
            if cause.status != CallRejected.status:  # it is not for want of room
                log.warning(
                    "stream refused", protocol=protocol, status=cause.status, why=str(cause)
                )
            await _reject(socket, cause)

    async def deny(
        self, socket: WebSocket, protocol: str, stream: MediaStream, *, after_s: float
    ) -> None:
        """Tell a far side in its own protocol, and not before that time, that it may not call.

        It takes nobody's seat, and no call is made of it.
        """
        if self._denied >= MOST_DENIED:
            refusal = Refusal(401, "want the credentials of this server")
            await socket.send_denial_response(refusal.response())
            return
        self._denied += 1
        try:
            await socket.accept()
            outbox = Outbox(socket, send_timeout_s=self._board.settings.send_timeout_s)
            sending = self._board.spawn(_send(outbox, protocol))
            source = self._source(stream, outbox, SocketPatience(start_s=after_s))
            try:
                if not take_directly(socket, source):
                    self._board.spawn(source.read(socket))
                await source.began()  # it never does: only the time for it passes
                await _part(source, stream, outbox, sending, source.ending)
                await close(socket, WRONG_STREAM, "unauthorized")
            finally:
                source.close()
                sending.cancel()
        finally:
            self._denied -= 1

    def _source(
        self, stream: MediaStream, outbox: Outbox, patience: SocketPatience | None = None
    ) -> WebSocketSource:
        ring = AudioRing(
            most_age_s=self._board.settings.ring_ms / 1000,
            on_drop=self._board.audio_dropped,
        )
        return WebSocketSource(
            stream,
            self._board.clock,
            patience or self._patience,
            ring,
            outbox.say,
            self._limits,
            self._together,
        )

    async def _run(
        self, source: WebSocketSource, stream: MediaStream, call: IngestCall, outbox: Outbox
    ) -> None:
        """Run the call, and say on the same socket what its dialect tells."""
        telling = self._board.spawn(_tell(stream, call, outbox)) if stream.tells else None
        within_s, answering = stream.answers_within_s, None
        if within_s is not None:
            answering = self._board.spawn(_answer(source, stream, outbox, within_s))
        try:
            await call.run(source)
            if telling is not None:
                await asyncio.wait([telling])  # it ends behind the last event
        finally:
            for task in (telling, answering):
                if task is not None:
                    task.cancel()


async def _part(
    source: WebSocketSource,
    stream: MediaStream,
    outbox: Outbox,
    sending: asyncio.Task[None],
    reason: EndReason,
    problem: str | None = None,
) -> None:
    """The dialect's last words; a far side that then goes by itself is given time for it."""
    await _bid_farewell(stream, outbox, reason, problem)
    if stream.parting_s:
        await asyncio.wait(
            [source.gone, sending],
            timeout=stream.parting_s,
            return_when=asyncio.FIRST_COMPLETED,
        )
    await outbox.close()
    await asyncio.wait([sending])


async def _answer(
    source: WebSocketSource, stream: MediaStream, outbox: Outbox, within_s: float
) -> None:
    """Who waits for a farewell has it in time, be the last decision there or not."""
    await source.over.wait()
    await asyncio.sleep(within_s)
    await _bid_farewell(stream, outbox, source.ending)


async def _bid_farewell(
    stream: MediaStream, outbox: Outbox, reason: EndReason, problem: str | None = None
) -> None:
    await outbox.room()
    for text in stream.farewell(reason, problem):
        await outbox.put(text)


async def _tell(stream: MediaStream, call: IngestCall, outbox: Outbox) -> None:
    """Scores and the end, as the dialect puts them."""
    async for event in call.scores():
        await outbox.room()
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
    reason = call.reason or UNTAKEN
    return CLOSE_CODES[reason], reason.value


def _subprotocol(socket: WebSocket, known: Sequence[str]) -> str | None:
    offered: list[str] = socket.scope.get("subprotocols", [])
    return next((one for one in known if one in offered), None)


async def _reject(socket: WebSocket, cause: CallRejected) -> None:
    """As an HTTP answer if the socket is not accepted yet, else by a close frame."""
    if socket.application_state.name == "CONNECTING":
        await socket.send_denial_response(rejection(cause).response())
    else:
        await close(socket, cause.close_code, str(cause))
