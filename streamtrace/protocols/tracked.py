"""What the dialects shaped like Twilio's share: a start, numbered tracks, a stop."""

from __future__ import annotations

import binascii
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias, cast

from streamtrace.errors import ProtocolViolation
from streamtrace.protocols.fields import JsonObject, json_object, section, text, whole_number
from streamtrace.protocols.ingest import (
    BAD_CONTENT,
    BAD_START,
    NOT_THIS_KIND,
    SECOND_START,
    TOO_LARGE,
    WRONG_STREAM,
    Dtmf,
    Ended,
    IngestEvent,
    LegFormat,
    Marked,
    Media,
    MediaStream,
    Started,
)
from streamtrace.protocols.track import MOST_HELD, Placed, Track
from streamtrace.values import G722, L16, PCMA, PCMU, EndReason, Leg

MOST_STAMP_MS = 7 * 24 * 3_600_000
MOST_CHUNK = MOST_STAMP_MS // 20

# Seen from the platform: inbound is who speaks to it.
LEGS = {"inbound": Leg.CALLER, "outbound": Leg.CALLEE}
TRACKS = {leg: name for name, leg in LEGS.items()}

# How many samples a payload holds, at the rate on the line.
SamplesIn: TypeAlias = Callable[[bytes], int]
SAMPLES_IN: Mapping[str, SamplesIn] = {
    PCMU: len,
    PCMA: len,
    L16: lambda payload: len(payload) // 2,
    G722: lambda payload: len(payload) * 2,
}


class Coding(NamedTuple):
    """What a dialect's name for an encoding stands for."""

    codec: str
    rates_hz: tuple[int, ...]  # those it may be told with; the first where none is told
    line_hz: int | None = None  # that of its samples, where it is another


@dataclass(frozen=True, slots=True)
class Opening:
    """What a `start` said."""

    stream_id: str | None
    legs: Mapping[Leg, LegFormat]
    external_id: str | None
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])
    legs_come_late: bool = False


class TrackedStream(MediaStream):
    """`start`, then `media`, `dtmf` and marks, then `stop`; a `connected` may come before.

    Events that a later version of a protocol may add are left out in silence once the stream has
    started; before that, what is not a start is a violation. A dialect says what its `start` means,
    and what it calls things.
    """

    id_key = "streamSid"  # under which a message names its stream
    mark_event = "mark"
    most_held = MOST_HELD

    def __init__(self, samples_in: Mapping[str, SamplesIn] = SAMPLES_IN) -> None:
        self._samples_in = samples_in
        self._stream_id: str | None = None
        self._tracks: dict[str, tuple[Leg, Track]] = {}  # by name: enums are slow to look up
        self._sample_bytes = 1
        self._most_bytes = 0
        self._ended = False

    @abstractmethod
    def opening(self, content: JsonObject) -> Opening:
        """What this `start` says, or a violation."""

    def unwrapped(self, content: JsonObject) -> JsonObject:
        """The message itself, where a dialect wraps it."""
        return content

    def feed(self, message: str | bytes) -> list[IngestEvent]:
        """Take one message."""
        if self._ended:
            return []
        if isinstance(message, bytes):
            raise ProtocolViolation("a binary message, where all are text", NOT_THIS_KIND)
        content = json_object(message)
        if content.get("event") == "media" and content.get(self.id_key) == self._stream_id:
            media = content.get("media")  # as nearly always: nothing else needs a look
            if type(media) is dict and self._tracks:
                return self.media(cast("JsonObject", media))
        content = self.unwrapped(content)
        event = text(content, "event")
        if not self._tracks:
            return self._before_start(event, content)
        if event in ("connected", "start"):
            raise ProtocolViolation(f"a second `{event}` on this stream", SECOND_START)
        if self.id_key in content and text(content, self.id_key) != self._stream_id:
            raise ProtocolViolation("a message of another stream", WRONG_STREAM)
        if event == "media":
            return self.media(section(content, "media"))
        if event == "dtmf":
            return _dtmf(section(content, "dtmf"))
        if event == self.mark_event:
            name = text(section(content, "mark"), "name") or text(content, "name")
            return [Marked(name)] if name else []
        if event == "stop":
            self._ended = True
            return [*self.flush(), Ended(EndReason.HUNG_UP)]
        if event is None:
            raise ProtocolViolation("a message without `event`", BAD_CONTENT)
        return []

    def flush(self) -> list[IngestEvent]:
        """What was held back for a frame that will not come."""
        return [
            media for leg, track in self._tracks.values() for media in _media_of(leg, track.flush())
        ]

    def media(self, media: JsonObject) -> list[IngestEvent]:
        """A frame of one track, which has its turn now or waits for it."""
        name = media.get("track", "inbound")
        found = self._tracks.get(name) if isinstance(name, str) else None
        if found is None:
            raise ProtocolViolation("media of a track that `start` did not name", BAD_CONTENT)
        number, stamp_ms = whole_number(media, "chunk"), whole_number(media, "timestamp")
        if (number or 0) > MOST_CHUNK or (stamp_ms or 0) > MOST_STAMP_MS:
            raise ProtocolViolation("media is stamped days ahead", BAD_CONTENT)
        leg, track = found
        return _media_of(leg, track.feed(number, stamp_ms, self._payload(media)))

    def _before_start(self, event: str | None, content: JsonObject) -> list[IngestEvent]:
        if event == "connected":
            return []
        if event == "stop":
            self._ended = True
            return [Ended(EndReason.HUNG_UP)]
        if event != "start":
            raise ProtocolViolation(
                "the stream begins with neither `connected` nor `start`", BAD_START
            )
        opening = self.opening(content)
        if opening.stream_id is None:
            raise ProtocolViolation(f"`start` names no `{self.id_key}`", BAD_START)
        self._stream_id = opening.stream_id
        for leg, form in opening.legs.items():
            samples_in = self._samples_in[form.codec]
            track = Track(form.rate_hz, samples_in, most_held=self.most_held)
            self._tracks[TRACKS[leg]] = leg, track
            self._sample_bytes = 2 if form.codec == L16 else 1
            self._most_bytes = form.rate_hz * self._sample_bytes  # a second, or of Opus much more
        return [
            Started(
                opening.legs,
                opening.external_id,
                opening.parameters,
                stream_id=opening.stream_id,
                legs_come_late=opening.legs_come_late,
            )
        ]

    def _payload(self, media: JsonObject) -> bytes:
        encoded = media.get("payload")
        if not isinstance(encoded, str):
            raise ProtocolViolation("media without `payload`", BAD_CONTENT)
        try:
            payload = binascii.a2b_base64(encoded, strict_mode=True)
        except ValueError:
            raise ProtocolViolation("a media payload is not base64", BAD_CONTENT) from None
        if len(payload) > self._most_bytes:
            raise ProtocolViolation("a media payload holds more than a second", TOO_LARGE)
        if self._sample_bytes == 2 and len(payload) % 2:
            return payload[:-1]  # half a sample is none, and must not shift those that follow
        return payload


def checked_format(
    given: JsonObject,
    codings: Mapping[str, Coding],
    *,
    rate_key: str = "sampleRate",
    default: str | None = None,
    most_channels: int = 1,
) -> LegFormat:
    """How a leg's audio comes; what is left out is what the platform sends by default."""
    encoding = given.get("encoding", default)
    coding = codings.get(encoding.lower()) if isinstance(encoding, str) else None
    rate_hz = whole_number(given, rate_key)
    if coding is not None and rate_key not in given:
        rate_hz = coding.rates_hz[0]
    channels = whole_number({"channels": 1, **given}, "channels")
    if (
        coding is None
        or rate_hz not in coding.rates_hz
        or not 1 <= (channels or 0) <= most_channels
    ):
        raise ProtocolViolation(
            f"the media format cannot be heard: want {_wanted(codings)}, one channel a track",
            BAD_START,
        )
    return LegFormat(coding.codec, coding.line_hz or rate_hz)


def checked_tracks(start: JsonObject) -> list[Leg]:
    """The legs that a `start` names by their tracks; inbound where it names none."""
    given = start.get("tracks", ["inbound"])
    names = cast("list[object]", given) if isinstance(given, list) else []
    if not names or any(name not in ("inbound", "outbound") for name in names):
        raise ProtocolViolation("`tracks` are not of inbound and outbound", BAD_START)
    return [leg for name, leg in LEGS.items() if name in names]


def _wanted(codings: Mapping[str, Coding]) -> str:
    """Names and rates, short enough for a close frame."""
    return ", ".join(
        f"{name} {'/'.join(str(rate) for rate in coding.rates_hz)}"
        for name, coding in codings.items()
    )


def _media_of(leg: Leg, placed: Sequence[Placed]) -> list[IngestEvent]:
    if len(placed) == 1:  # as nearly always
        return [Media(leg, *placed[0])]
    return [Media(leg, start_sample, payload) for start_sample, payload in placed]


def _dtmf(dtmf: JsonObject) -> list[IngestEvent]:
    digit = text(dtmf, "digit", most=1)
    leg = LEGS.get((text(dtmf, "track") or "inbound").removesuffix("_track"))
    return [Dtmf(leg, digit)] if leg and digit else []
