"""One call that comes in messages, mostly over a WebSocket: a dialect reads them, time gives up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from streamtrace.audio.codecs import CODECS
from streamtrace.audio.pending import PendingAudio, Timed
from streamtrace.errors import ProtocolViolation
from streamtrace.ports import CallBound, Clock, LegOpened, SourceEnded, SourceItem
from streamtrace.protocols.ingest import (
    Alive,
    Ended,
    IngestEvent,
    LegFormat,
    Media,
    MediaStream,
    Opened,
    Quiet,
    Reply,
    Started,
)
from streamtrace.sources.flow import Flow, FlowLimits
from streamtrace.sources.ring import AudioRing
from streamtrace.sources.together import Together
from streamtrace.values import EndReason, GapCause, Leg

MOST_WAITING = 16  # messages of a call; more at once are no live call's
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
    quiet_s: float = 43_200.0  # where it says that nothing will come


class MessageSource:
    """An `AudioSource`. Its owner tells it of every message, iterates it, and closes it.

    Taking a message never waits for the engine: the ring drops what is too old. `violation` is
    what the far side did wrong, if anything. `say` takes what the dialect replies, at once.
    """

    def __init__(
        self,
        stream: MediaStream,
        clock: Clock,
        patience: SocketPatience,
        ring: AudioRing,
        say: Callable[[str], None],
        limits: FlowLimits | None = None,
        together: Together | None = None,
    ) -> None:
        self.violation: ProtocolViolation | None = None
        self._stream = stream
        self._clock = clock
        self._patience = patience
        self._ring = ring
        self._say = say
        self._inputs: dict[Leg, PendingAudio] = {}
        self._forms: dict[Leg, LegFormat] = {}  # of legs opened late, until their first audio
        self._lengths: dict[Leg, Callable[[bytes], float]] = {}
        self._ending: EndReason | None = None
        self._is_over = False
        self._loop = asyncio.get_running_loop()
        self._began: asyncio.Future[Started | None] = self._loop.create_future()
        self.over = asyncio.Event()  # nothing follows; its call may have a last word to say yet
        self.gone: asyncio.Future[None] = self._loop.create_future()  # the far side is
        self._waiting_for = EndReason.START_TIMEOUT
        self._waits_s = patience.start_s
        self._now_s = self._heard_s = self._loop.time()
        self._flow = Flow(limits or FlowLimits(), self._now_s)
        self._counted = stream.messages_read
        self._together = together if stream.may_wait_s else None
        self._waiting: list[tuple[str | bytes, float, float]] = []  # a message, and when it came
        self._received_s = 0.0  # by the clock: when what is being heard came
        self._timer = self._loop.call_later(patience.start_s, self._look_at_the_time)

    @property
    def ending(self) -> EndReason:
        """Why it is over."""
        return self._ending or EndReason.SOURCE_LOST

    @property
    def is_caught_up(self) -> bool:
        """Whether all that came was heard."""
        return not self._waiting

    async def began(self) -> Started | None:
        """What the stream said of itself; None if it ended before it began."""
        return await asyncio.shield(self._began)

    def take(self, message: str | bytes) -> None:
        """A whole message, or a piece of a stream whose dialect finds the messages in it.

        Behind the end it means nothing but what the far side is owed for it.
        """
        if self._is_over:
            self._answer(message)
            return
        now_s, received_s = self._loop.time(), self._clock.now()
        if self._together is None or not self._began.done():
            self._hear(message, now_s, received_s)
            return
        if not self._waiting:
            self._together.soon(self.catch_up, self._stream.may_wait_s)
        self._waiting.append((message, now_s, received_s))
        is_audio = isinstance(message, str) is self._stream.audio_is_text
        if not is_audio or len(self._waiting) >= MOST_WAITING:
            self.catch_up()

    def catch_up(self) -> None:
        """All that may wait has waited, or must not any more."""
        waiting, self._waiting = self._waiting, []
        for message, now_s, received_s in waiting:
            if self._is_over:
                self._answer(message)
            else:
                self._hear(message, now_s, received_s)

    def _hear(self, message: str | bytes, now_s: float, received_s: float) -> None:
        self._now_s, self._received_s = now_s, received_s
        try:
            if self._counted is None:
                self._flow.take_message(self._now_s)
            for event in self._stream.feed(message):
                self._take(event)
            if self._counted is not None and not self._is_over:
                self._count_messages(self._counted)
        except ProtocolViolation as violation:
            self._ending, self.violation = EndReason.PROTOCOL_ERROR, violation
            self.close()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give what is held back, and let the iteration end; safe to repeat."""
        self.catch_up()
        if self._is_over:
            return
        self._is_over = True
        self.over.set()
        self._timer.cancel()
        for leg, pending in self._inputs.items():
            self._put(leg, pending.flush(self._clock.now()))
        self._ring.close()
        if not self._began.done():
            self._began.set_result(None)

    async def __aiter__(self) -> AsyncIterator[SourceItem]:
        started = await self.began()
        if started is not None:
            yield CallBound(started.external_id, started.parameters)
            if started.legs_come_late:
                self._forms.update(started.legs)
            else:
                for leg, form in started.legs.items():
                    yield LegOpened(leg, form.codec, form.rate_hz)
        ring = self._ring  # read here rather than by its own iterator, which costs one more switch
        while True:
            while (audio := ring.take()) is not None:
                if self._forms and (form := self._forms.pop(audio.leg, None)) is not None:
                    yield LegOpened(audio.leg, form.codec, form.rate_hz)
                yield audio
            if ring.is_closed:
                break
            await ring.more()
        if self.violation is not None:
            raise self.violation
        yield SourceEnded(self.ending)

    def _count_messages(self, counted: int) -> None:
        """How a network cuts a stream is nobody's fault: what counts is what was in the piece."""
        self._counted = read = self._stream.messages_read or 0
        self._flow.take_message(self._now_s, read - counted)

    def _answer(self, message: str | bytes) -> None:
        """What the far side does wrong behind the end ends nothing any more."""
        if not self._stream.parting_s:
            return
        with suppress(ProtocolViolation):
            for event in self._stream.feed(message):
                if isinstance(event, Reply):
                    self._say(event.text)

    def leave(self, reason: EndReason) -> None:
        """The far side has gone; what its dialect held back for a late frame still counts."""
        self.catch_up()
        if self._is_over:
            return
        self._now_s, self._received_s = self._loop.time(), self._clock.now()
        try:
            for held in self._stream.flush():
                self._take(held)
            self._ending = reason
        except ProtocolViolation as violation:
            self._ending, self.violation = EndReason.PROTOCOL_ERROR, violation
        self.close()

    def _take(self, event: IngestEvent) -> None:
        if isinstance(event, Media):  # fifty a second, and everything else is rare
            leg, start_sample, payload, gap_cause = event
            self._heard_s = self._now_s
            self._flow.take_audio(self._lengths[leg](payload))
            ready = self._inputs[leg].feed(start_sample, payload, self._received_s)
            if ready:
                self._put(leg, ready, gap_cause)
        elif isinstance(event, Started):
            self._heard_s = self._loop.time()
            self._waiting_for, self._waits_s = EndReason.IDLE_TIMEOUT, self._patience.idle_s
            self._look_at_the_time()
            self._inputs = {leg: _pending(form) for leg, form in event.legs.items()}
            self._lengths = {leg: _length_s(form) for leg, form in event.legs.items()}
            self._flow.open_legs(len(event.legs))
            self._began.set_result(event)
        elif isinstance(event, Opened):
            self._inputs[event.leg] = _pending(event.form)
            self._forms[event.leg] = event.form
            self._lengths[event.leg] = _length_s(event.form)
            self._flow.open_legs(len(self._lengths))
        elif isinstance(event, Alive):
            self._heard_s = self._loop.time()
        elif isinstance(event, Quiet):
            self._heard_s = self._loop.time()
            self._waits_s = self._patience.quiet_s if event.is_on else self._patience.idle_s
            self._look_at_the_time()
        elif isinstance(event, Reply):
            self._say(event.text)
        elif isinstance(event, Ended):
            self._ending = event.reason
            self.close()
        # Keys and marks are no evidence.

    def _put(self, leg: Leg, ready: Iterable[Timed], gap_cause: GapCause = GapCause.LOST) -> None:
        for chunk, received_at_s in ready:
            self._ring.put(chunk, received_at_s, leg, gap_cause)

    def _look_at_the_time(self) -> None:
        """Give up a far side that is silent for too long; one timer looks, messages only stamp."""
        self._timer.cancel()
        rest_s = self._heard_s + self._waits_s - self._loop.time()
        if rest_s > 0:
            self._timer = self._loop.call_later(rest_s, self._look_at_the_time)
        else:
            self._ending = self._waiting_for
            self.close()


class WebSocketSource(MessageSource):
    """A `MessageSource` whose far side goes with a close frame."""

    async def read(self, socket: Socket) -> None:
        """Take what the socket receives, to its end; for servers that only speak ASGI."""
        try:
            while not (self.gone.done() if self._stream.parting_s else self._is_over):
                self.take_event(await socket.receive())
        finally:
            self.close()

    def take_event(self, event: Mapping[str, Any]) -> None:
        """A message as an ASGI event, or the far side's going."""
        if event["type"] == "websocket.disconnect":
            if not self.gone.done():
                self.gone.set_result(None)
            self._leave(event)
        elif (text := event.get("text")) is not None:
            self.take(text)
        else:
            self.take(bytes(event.get("bytes") or b""))

    def _leave(self, event: Mapping[str, Any]) -> None:
        if not self._is_over:
            self.leave(self._goodbye(event))

    def _goodbye(self, event: Mapping[str, Any]) -> EndReason:
        """A broken connection comes as 1005 too, but only a real close frame has a reason."""
        code = event.get("code", 1006)
        if code == 1009:  # the server's own close: its limit is the settings'
            self.violation = ProtocolViolation("a message is larger than this server takes", 1009)
            return EndReason.PROTOCOL_ERROR
        closed = code in GOODBYES and event.get("reason") is not None
        return EndReason.HUNG_UP if closed else EndReason.SOURCE_LOST


def _pending(form: LegFormat) -> PendingAudio:
    return PendingAudio(form.rate_hz, CODECS[form.codec])


def _length_s(form: LegFormat) -> Callable[[bytes], float]:
    codec, rate_hz = CODECS[form.codec], form.rate_hz
    if codec.sample_bytes is not None:
        bytes_per_s = codec.sample_bytes * rate_hz
        return lambda payload: len(payload) / bytes_per_s
    samples_in = codec.samples_in
    return lambda payload: samples_in(payload) / rate_hz
