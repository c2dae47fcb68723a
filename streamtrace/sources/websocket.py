"""One call over a WebSocket: a dialect reads its messages, time decides when it is given up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Protocol

from streamtrace.audio.g711 import decode_mulaw
from streamtrace.audio.pcm16 import decode_pcm16
from streamtrace.audio.position import LegInput
from streamtrace.errors import ProtocolViolation
from streamtrace.ports import CallBound, Clock, LegOpened, SourceEnded, SourceItem
from streamtrace.protocols.ingest import (
    L16,
    PCMU,
    Dtmf,
    Ended,
    IngestEvent,
    Marked,
    Media,
    MediaStream,
    Started,
)
from streamtrace.sources.ring import AudioRing
from streamtrace.values import EndReason, Float32s, Leg

DECODERS: Mapping[str, Callable[[bytes], Float32s]] = {PCMU: decode_mulaw, L16: decode_pcm16}

# How a far side says goodbye by closing alone: normally, by leaving a page, or with no code at all.
GOODBYES = (1000, 1001, 1005)
# What a socket is closed with, unless the dialect or the engine knows better.
CLOSE_CODES = {
    EndReason.HUNG_UP: 1000,
    EndReason.SOURCE_LOST: 1011,
    EndReason.START_TIMEOUT: 4408,
    EndReason.IDLE_TIMEOUT: 4408,
    EndReason.TOO_LONG: 1008,
    EndReason.PROTOCOL_ERROR: 1007,
    EndReason.ENGINE_FAILED: 1011,
    EndReason.DRAINED: 1012,
}


class Socket(Protocol):
    """The receiving half of an accepted ASGI WebSocket."""

    async def receive(self) -> MutableMapping[str, Any]:
        """The next ASGI event."""
        ...


@dataclass(frozen=True, slots=True)
class SocketPatience:
    """How long a silent far side is waited for, seconds."""

    start_s: float = 5.0
    idle_s: float = 15.0


class WebSocketSource:
    """An `AudioSource`. Its owner runs `read` as a task, and iterates it once at the same time.

    Reading never waits for the engine: the ring drops what is too old. `violation` is what the far
    side did wrong, if anything.
    """

    def __init__(
        self,
        socket: Socket,
        stream: MediaStream,
        clock: Clock,
        patience: SocketPatience,
        ring: AudioRing,
    ) -> None:
        self.violation: ProtocolViolation | None = None
        self._socket = socket
        self._stream = stream
        self._clock = clock
        self._patience = patience
        self._ring = ring
        self._inputs: dict[Leg, tuple[LegInput, Callable[[bytes], Float32s]]] = {}
        self._began: asyncio.Future[Started | None] = asyncio.get_running_loop().create_future()
        self._ending: EndReason | None = None

    async def began(self) -> Started | None:
        """What the stream said of itself; None if it ended before it began."""
        return await asyncio.shield(self._began)

    async def read(self) -> None:
        """Read the socket to its end, and always: whoever sends is never held up by the engine."""
        waiting_for = EndReason.START_TIMEOUT
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._patience.start_s) as patience:
                while self._ending is None:
                    for event in self._understood(await self._socket.receive()):
                        self._take(event)
                        if isinstance(event, Started | Media):
                            waiting_for = EndReason.IDLE_TIMEOUT
                            patience.reschedule(loop.time() + self._patience.idle_s)
        except TimeoutError:
            self._ending = waiting_for
        except ProtocolViolation as violation:
            self._ending, self.violation = EndReason.PROTOCOL_ERROR, violation
        finally:
            self._finish()

    async def __aiter__(self) -> AsyncIterator[SourceItem]:
        started = await self.began()
        if started is not None:
            yield CallBound(started.external_id, started.parameters)
            for leg, form in started.legs.items():
                yield LegOpened(leg, form.codec, form.rate_hz)
        async for audio in self._ring:
            yield audio
        if self.violation is not None:
            raise self.violation
        yield SourceEnded(self._ending or EndReason.SOURCE_LOST)

    def _understood(self, message: Mapping[str, Any]) -> list[IngestEvent]:
        """What one ASGI event means."""
        if message["type"] == "websocket.disconnect":
            return [*self._stream.flush(), Ended(self._goodbye(message))]
        if message.get("text") is not None:
            return self._stream.feed(str(message["text"]))
        return self._stream.feed(bytes(message.get("bytes") or b""))

    def _goodbye(self, message: Mapping[str, Any]) -> EndReason:
        """A broken connection comes as 1005 too, but only a real close frame has a reason."""
        code = message.get("code", 1006)
        if code == 1009:  # the server's own close: its limit is the settings'
            self.violation = ProtocolViolation("a message is larger than this server takes", 1009)
            return EndReason.PROTOCOL_ERROR
        closed = code in GOODBYES and message.get("reason") is not None
        return EndReason.HUNG_UP if closed else EndReason.SOURCE_LOST

    def _take(self, event: IngestEvent) -> None:
        match event:
            case Started():
                self._inputs = {
                    leg: (LegInput(form.rate_hz), DECODERS[form.codec])
                    for leg, form in event.legs.items()
                }
                self._began.set_result(event)
            case Media(leg, start_sample, payload):
                leg_input, decode = self._inputs[leg]
                for chunk in leg_input.feed(start_sample, decode(payload)):
                    self._ring.put(chunk, self._clock.now(), leg)
            case Ended(reason):
                self._ending = reason
            case Dtmf() | Marked():
                pass  # neither is evidence

    def _finish(self) -> None:
        """Give what is held back, and let the iteration end."""
        for leg, (leg_input, _) in self._inputs.items():
            for chunk in leg_input.flush():
                self._ring.put(chunk, self._clock.now(), leg)
        self._ring.close()
        if not self._began.done():
            self._began.set_result(None)
