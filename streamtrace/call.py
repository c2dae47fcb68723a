"""One call in the engine: its session fed, its steps encoded, its events stamped and published."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

import numpy as np

from streamtrace.audio.finite import finite
from streamtrace.audio.position import LegInput
from streamtrace.encoder.batcher import Encoder, Slot
from streamtrace.encoder.job import Encoded
from streamtrace.errors import EncoderFailed, ProtocolViolation
from streamtrace.events.events import CallScore, Event
from streamtrace.events.wire import CloudEvent, cloud_event
from streamtrace.fusion.model import TraceModel
from streamtrace.ports import Clock, EventSink
from streamtrace.session import CallSession
from streamtrace.values import (
    SAMPLE_RATE_HZ,
    STEP_SAMPLES,
    AudioChunk,
    EndReason,
    Float32s,
    GapCause,
    Latency,
    Leg,
    Step,
)

PIECE_SAMPLES = 4 * STEP_SAMPLES  # what the session takes at a time; other calls go in between


class Call:
    """One call in the engine; what it says is returned, and published to its sink.

    The story begins with the first leg or the end, so that a far side which names its call a
    little late is still named in every event. Behind the end nothing is said any more.
    """

    def __init__(
        self,
        id: str,
        *,
        encoder: Encoder,
        model: TraceModel,
        clock: Clock,
        external_id: str | None,
        line: str | None,
        protocol: str,
        sink: EventSink[CloudEvent] | None,
        on_end: Callable[[Call], None],
        hear: Callable[[Event], None] | None = None,
        listen: Callable[[Leg, Step], None] | None = None,
    ) -> None:
        self.id = id
        self.external_id = external_id
        self.line = line
        self.protocol = protocol
        self.ended: EndReason | None = None
        self._encoder = encoder
        self._model = model
        self._clock = clock
        self._sink = sink
        self._hear = hear  # each event as the session says it, before it is published
        self._listen = listen  # each step that was encoded, before what it led to is said
        self._on_end = on_end
        self._session: CallSession | None = None
        self._slots: dict[Leg, Slot] = {}
        self._inputs: dict[Leg, _OwnRateInput] = {}
        self._scores: dict[Leg, CallScore] = {}
        self._sequence = 0
        self._turn = asyncio.Lock()  # steps of one call are encoded and told in their order
        self._is_ending = False

    @property
    def scores(self) -> Mapping[Leg, CallScore]:
        """The newest score of each leg, with its whole attribution; after the end, the final."""
        return self._scores

    def bind(self, external_id: str | None) -> None:
        """The far side said which call this is."""
        self.external_id = external_id or self.external_id

    def open_leg(self, leg: Leg, *, codec: str, rate_hz: int) -> list[CloudEvent]:
        """A party's audio is about to come; raises `EngineFull` where there is no slot for it."""
        if self.ended:
            return []
        said = self._begin()
        slot = self._encoder.acquire()
        try:
            said += self._say(self._story.open_leg(leg, codec, rate_hz))
        except ProtocolViolation:
            slot.release()
            raise
        self._slots[leg] = slot
        return said

    async def feed(
        self,
        chunk: AudioChunk,
        leg: Leg = Leg.CALLER,
        received_at: float | None = None,
        gap_cause: GapCause = GapCause.LOST,
    ) -> list[CloudEvent]:
        """Audio in, events out; a leg that is not open yet is opened as plain 16 kHz.

        `received_at` is the clock's `now()` at the chunk's last sample, for the latencies;
        `gap_cause` says why audio is missing in front of the chunk, if it is. If the encoder
        fails the call ends here with `ENGINE_FAILED`.
        """
        received_at = self._clock.now() if received_at is None else received_at
        said: list[CloudEvent] = []
        async with self._turn:
            if leg not in self._slots:
                said += self.open_leg(leg, codec="pcm", rate_hz=SAMPLE_RATE_HZ)
            for piece in pieces(chunk):
                if self._is_ending:
                    break
                steps, events = self._story.feed_audio(leg, piece, gap_cause)
                if events:
                    said += self._say(events)
                if steps:
                    said += await self._encode(leg, steps, received_at)
        return said

    async def feed_pcm(
        self,
        pcm: Float32s,
        rate_hz: int,
        leg: Leg = Leg.CALLER,
        received_at: float | None = None,
    ) -> list[CloudEvent]:
        """The leg's next audio at its own rate: [T] mono in [-1, 1], cut anyhow."""
        said: list[CloudEvent] = []
        if leg not in self._inputs:
            if leg not in self._slots:
                said += self.open_leg(leg, codec="pcm", rate_hz=rate_hz)
            self._inputs[leg] = _OwnRateInput(rate_hz)
        for start in range(0, len(pcm), rate_hz):  # a second at a time; other calls go in between
            for chunk in self._inputs[leg].feed(pcm[start : start + rate_hz]):
                said += await self.feed(chunk, leg, received_at)
        return said

    async def end(
        self, reason: EndReason = EndReason.HUNG_UP, error: str | None = None
    ) -> list[CloudEvent]:
        """Nothing follows: one final score per leg, then the end. A second end says nothing.

        Even if this is cancelled the finals come, from what was encoded until then.
        """
        self._is_ending = True
        said: list[CloudEvent] = []
        ended_at = self._clock.now()
        try:
            async with self._turn:
                if not self.ended:
                    said += await self._finish_legs(ended_at)
        finally:
            said += self._conclude(reason, error, ended_at)
        return said

    async def _encode(self, leg: Leg, steps: list[Step], received_at: float) -> list[CloudEvent]:
        """Steps to answers to events, one after another; `ENGINE_FAILED` if the encoder fails."""
        said: list[CloudEvent] = []
        for step in steps:
            try:
                encoded = await self._slots[leg].encode(step)
            except EncoderFailed as cause:
                failed = EndReason.ENGINE_FAILED
                for other in self._slots.keys() - {leg}:
                    await self._settle(other)
                return said + self._conclude(failed, str(cause), self._clock.now())
            if self._listen is not None:
                self._listen(leg, step)
            said += self._say(self._story.feed_traced(leg, encoded.traced), received_at, encoded)
        return said

    async def _finish_legs(self, received_at: float) -> list[CloudEvent]:
        said = self._begin()
        for leg in tuple(self._slots):
            steps: list[Step] = []
            for chunk in self._inputs[leg].flush() if leg in self._inputs else ():
                more, events = self._story.feed_audio(leg, chunk)
                said += self._say(events)
                steps += more
            said += await self._encode(leg, steps + self._story.finish(leg), received_at)
            await self._settle(leg)
        return said

    async def _settle(self, leg: Leg) -> None:
        """Have all that was heard of the leg in its final."""
        if not self.ended and self._story.owes_answer(leg):
            with suppress(EncoderFailed):  # then the final says what was known before
                self._story.feed_answer(leg, await self._slots[leg].answer())

    def _conclude(self, reason: EndReason, error: str | None, ended_at: float) -> list[CloudEvent]:
        """Say the finals and give everything back; harmless when it was done before."""
        if self.ended:
            return []
        self._is_ending = True
        said = self._begin()
        self.ended = reason
        for slot in self._slots.values():
            slot.release()
        self._on_end(self)
        return said + self._say(self._story.end(reason, error), ended_at)

    @property
    def _story(self) -> CallSession:
        if self._session is None:
            raise RuntimeError("the call's story was asked for before it began")
        return self._session

    def _begin(self) -> list[CloudEvent]:
        if self._session is not None:
            return []
        self._session = CallSession(
            self._model,
            external_id=self.external_id,
            line=self.line,
            protocol=self.protocol,
        )
        return self._say(self._session.start())

    def _say(
        self, events: list[Event], received_at: float | None = None, encoded: Encoded | None = None
    ) -> list[CloudEvent]:
        """Stamp and publish."""
        said: list[CloudEvent] = []
        for event in events:
            self._sequence += 1
            if isinstance(event, CallScore):
                self._scores[event.leg] = event
                event = dataclasses.replace(event, latency=self._latency(received_at, encoded))
            stamped = cloud_event(
                event,
                call_id=self.id,
                external_id=self.external_id,
                sequence=self._sequence,
                time=self._clock.utc(),
                event_id=f"{self.id}-{self._sequence}",
            )
            if self._hear is not None:
                self._hear(event)
            if self._sink is not None:
                self._sink.publish(stamped)
            said.append(stamped)
        return said

    def _latency(self, received_at: float | None, encoded: Encoded | None) -> Latency | None:
        if received_at is None:
            return None
        total = 1000 * (self._clock.now() - received_at)
        if encoded is None:
            return Latency(queue=0.0, encode=0.0, total=total)
        return Latency(encoded.queue_ms, encoded.encode_ms, total)


def pieces(chunk: AudioChunk) -> Iterable[AudioChunk]:
    """The chunk in parts small enough to let other calls go in between."""
    if len(chunk.pcm) <= PIECE_SAMPLES:
        return (chunk,)
    return (
        AudioChunk(chunk.start_sample + start, chunk.pcm[start : start + PIECE_SAMPLES])
        for start in range(0, len(chunk.pcm), PIECE_SAMPLES)
    )


class _OwnRateInput:
    """A leg that is fed without positions: nothing is ever missing."""

    def __init__(self, rate_hz: int) -> None:
        self._input = LegInput(rate_hz)
        self._heard = 0

    def feed(self, pcm: Float32s) -> list[AudioChunk]:
        """The next [T] at the leg's rate, from whoever has it: it may hold anything."""
        samples = finite(np.ascontiguousarray(pcm, np.float32))
        chunks = self._input.feed(self._heard, samples)
        self._heard += len(pcm)
        return chunks

    def flush(self) -> list[AudioChunk]:
        """What the resampler still holds."""
        return self._input.flush()
