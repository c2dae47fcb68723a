"""A platform's dialect as tests see it: how it words a short call, and what is heard of one."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from streamtrace.errors import ProtocolViolation
from streamtrace.protocols.ingest import IngestEvent, LegFormat, Media, MediaStream
from streamtrace.values import Leg

Json = dict[str, Any]

STREAM_IDS = ("streamSid", "stream_id", "streamId", "stream_sid")
CODES = {1003, 1007, 1008, 1009, 4400, 4409}
MIDNIGHT_MS = 1_790_000_000_000  # Plivo stamps the time of day


@dataclass(frozen=True)
class Dialect:
    """How a platform words a short call of one party; `format_key` is where `start` says how."""

    name: str
    stream: Callable[[], MediaStream]
    connected: tuple[Json, ...]
    start: Json
    media: Json
    dtmf: Json
    mark: Json
    stop: Json | None
    format_key: str
    external_id: str
    stream_id: str
    parameters: dict[str, str]
    form: LegFormat
    frame_bytes: int
    frame_ms: int = 20
    legs: tuple[Leg, ...] = (Leg.CALLER,)  # that are told of at the start
    tracks: tuple[str, ...] | None = ("inbound", "outbound")  # None: it names none

    def opening(self, **changes: Any) -> list[str]:
        """All up to the start, whose `start` is changed so."""
        start = self.start | {"start": self.start["start"] | changes}
        return [json.dumps(one) for one in (*self.connected, start)]

    def formatted(self, **changes: Any) -> list[str]:
        """The same with another media format; None takes a key away."""
        changed = self.start["start"][self.format_key] | changes
        kept = {key: value for key, value in changed.items() if value is not None}
        return self.opening(**{self.format_key: kept})

    def frame(self, number: int, *, track: object = None, **changes: Any) -> str:
        """Media number `number`, from 1."""
        stamp = (number - 1) * self.frame_ms + (MIDNIGHT_MS if self.name == "plivo" else 0)
        kind: type[int] | type[str] = type(self.media["media"]["chunk"])
        media: Json = {"chunk": kind(number), "timestamp": str(stamp)}
        media["payload"] = base64.b64encode(self.payload(number)).decode()
        if self.tracks is not None or track is not None:
            media["track"] = "inbound" if track is None else track
        return json.dumps(self.media | {"media": self.media["media"] | media | changes})

    def payload(self, number: int) -> bytes:
        """Of media number `number`."""
        return bytes([number % 251]) * self.frame_bytes

    def goodbye(self) -> list[str]:
        """The last words, where there are any."""
        return [] if self.stop is None else [json.dumps(self.stop)]


def fed(dialect: Dialect, *messages: str | bytes) -> list[IngestEvent]:
    """What a stream gives for these messages."""
    stream = dialect.stream()
    return [event for message in messages for event in stream.feed(message)]


def heard(dialect: Dialect, *messages: str | bytes) -> list[tuple[Leg, int, bytes]]:
    """The media of a whole call: its leg, place and payload."""
    stream = dialect.stream()
    events = [e for message in (*dialect.opening(), *messages) for e in stream.feed(message)]
    media = [event for event in [*events, *stream.flush()] if isinstance(event, Media)]
    return [(one.leg, one.start_sample, one.payload) for one in media]


def close_code(dialect: Dialect, *messages: str | bytes) -> int:
    """What these messages are closed with."""
    with pytest.raises(ProtocolViolation) as violation:
        fed(dialect, *messages)
    return violation.value.close_code
