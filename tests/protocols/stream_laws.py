"""What holds for every dialect whatever its far side says; `hear` raises where it does not."""

from __future__ import annotations

import gc
import sys
import types
from collections.abc import Iterable
from contextlib import suppress

from streamtrace.audio.codecs import CODECS
from streamtrace.errors import ProtocolViolation
from streamtrace.protocols.ingest import (
    Ended,
    IngestEvent,
    LegFormat,
    Media,
    MediaStream,
    Opened,
    Reply,
    Started,
)
from streamtrace.values import Leg

CLOSE_CODES = {1003, 1007, 1008, 1009, 1013, 4400, 4408, 4409, 4429}
MOST_HELD_BYTES = 400_000  # three frames of a second a leg, and what the stream itself is
MOST_TEXT = 65_536
MOST_SAMPLE = 2**53  # positions stay exact where they become floats
# What one message may bring out: its own audio, three held frames, a seam of silence.
MOST_OUT_BYTES = 250_000

_SHARED = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.MethodType)


class Hearing:
    """What one stream said so far, every event looked at as it comes."""

    def __init__(self) -> None:
        self.started: Started | None = None
        self.ended: Ended | None = None
        self._formats: dict[Leg, LegFormat] = {}
        self._starts: dict[Leg, int] = {}

    def take(self, events: Iterable[IngestEvent]) -> None:
        """Everything one message brought."""
        out_bytes = 0
        for event in events:
            assert self.ended is None, f"{event} behind the end"
            if isinstance(event, Started):
                self._take_start(event)
            elif isinstance(event, Opened):
                self.open(event.leg, event.form)
            elif isinstance(event, Media):
                self._take_media(event)
                out_bytes += len(event.payload)
            elif isinstance(event, Ended):
                self.ended = event
            elif isinstance(event, Reply):
                assert 0 < len(event.text) <= MOST_TEXT
        assert out_bytes <= MOST_OUT_BYTES

    def open(self, leg: Leg, form: LegFormat) -> None:
        """A leg that comes as told."""
        assert form.codec in CODECS
        assert 8_000 <= form.rate_hz <= 192_000
        self._formats[leg] = form

    def _take_start(self, event: Started) -> None:
        assert self.started is None, "a second start"
        self.started = event
        for leg, form in event.legs.items():
            self.open(leg, form)
        named = [*event.parameters, *event.parameters.values(), event.protocol or "-"]
        assert all(len(text) <= 256 and text.isprintable() for text in named)
        assert len(event.parameters) <= 64
        if event.external_id is not None:
            assert 0 < len(event.external_id) <= 256
            assert event.external_id.isprintable()

    def _take_media(self, event: Media) -> None:
        assert self.started is not None, "audio before the start"
        form = self._formats[event.leg]
        samples = CODECS[form.codec].samples_in(event.payload)
        assert samples > 0
        start = event.start_sample
        assert self._starts.get(event.leg, 0) <= start <= MOST_SAMPLE
        self._starts[event.leg] = start


def hear(stream: MediaStream, messages: Iterable[str | bytes]) -> Hearing:
    """Feed a far side's messages to their end, a violation or the far side's own."""
    hearing = Hearing()
    violation: ProtocolViolation | None = None
    try:
        for message in messages:
            hearing.take(stream.feed(message))
            if hearing.ended is not None:
                break
    except ProtocolViolation as caught:
        violation = caught
    assert violation is None or violation.close_code in CLOSE_CODES
    assert violation is None or 0 < len(str(violation)) <= 200
    assert held_bytes(stream) <= MOST_HELD_BYTES
    hearing.take(stream.flush())
    if hearing.ended is not None:
        for message in ("{", b"\0\0"):
            with suppress(ProtocolViolation):  # as of a text, where only bytes can come
                assert not list(stream.feed(message)), "an answer behind the end"
    assert held_bytes(stream) <= MOST_HELD_BYTES
    return hearing


def held_bytes(stream: object) -> int:
    """Everything that only this stream keeps alive."""
    seen: set[int] = set()
    waiting: list[object] = [stream]
    total = 0
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, _SHARED):
            continue
        seen.add(id(one))
        total += sys.getsizeof(one)
        waiting += gc.get_referents(one)
    return total
