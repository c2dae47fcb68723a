"""Twilio Media Streams: JSON text messages, mu-law in base64, one numbered track per party."""

from __future__ import annotations

import binascii
from typing import cast

from streamtrace.errors import ProtocolViolation
from streamtrace.protocols.fields import (
    JsonObject,
    json_object,
    parameters,
    section,
    text,
    whole_number,
)
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
from streamtrace.protocols.track import Placed, Track
from streamtrace.values import PCMU, EndReason, Leg

RATE_HZ = 8_000
MOST_PAYLOAD_BYTES = RATE_HZ  # a second; frames are 20 ms
MOST_STAMP_MS = 7 * 24 * 3_600_000
MOST_CHUNK = MOST_STAMP_MS // 20

# Seen from the platform: inbound is who speaks to it.
LEGS = {"inbound": Leg.CALLER, "outbound": Leg.CALLEE}


class TwilioStream(MediaStream):
    """`connected`, `start`, then `media`, `dtmf` and `mark`, then `stop`.

    Events that a later version of the protocol may add are left out in silence once the stream has
    started; before that, what is not a start is a violation.
    """

    def __init__(self) -> None:
        self._stream_sid: str | None = None
        self._tracks: dict[Leg, Track] = {}
        self._ended = False

    def feed(self, message: str | bytes) -> list[IngestEvent]:
        """Take one message."""
        if self._ended:
            return []
        if isinstance(message, bytes):
            raise ProtocolViolation("a binary message, where all are text", NOT_THIS_KIND)
        content = json_object(message)
        if content.get("event") == "media" and content.get("streamSid") == self._stream_sid:
            media = content.get("media")  # as nearly always: nothing else needs a look
            if type(media) is dict and self._tracks:
                return self._media(cast("JsonObject", media))
        event = text(content, "event")
        if not self._tracks:
            return self._before_start(event, content)
        if event in ("connected", "start"):
            raise ProtocolViolation(f"a second `{event}` on this stream", SECOND_START)
        if "streamSid" in content and text(content, "streamSid") != self._stream_sid:
            raise ProtocolViolation("a message of another stream", WRONG_STREAM)
        match event:
            case "media":
                return self._media(section(content, "media"))
            case "dtmf":
                return _dtmf(section(content, "dtmf"))
            case "mark":
                name = text(section(content, "mark"), "name")
                return [Marked(name)] if name else []
            case "stop":
                self._ended = True
                return [*self.flush(), Ended(EndReason.HUNG_UP)]
            case None:
                raise ProtocolViolation("a message without `event`", BAD_CONTENT)
            case _:
                return []

    def flush(self) -> list[IngestEvent]:
        """What was held back for a frame that will not come."""
        return [
            media for leg, track in self._tracks.items() for media in _media_of(leg, track.flush())
        ]

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
        start = section(content, "start")
        legs = {leg: _checked_format(section(start, "mediaFormat")) for leg in _tracks(start)}
        self._stream_sid = text(content, "streamSid") or text(start, "streamSid")
        if self._stream_sid is None:
            raise ProtocolViolation("`start` names no `streamSid`", BAD_START)
        self._tracks = {leg: Track(RATE_HZ) for leg in legs}
        return [
            Started(legs, text(start, "callSid"), parameters(section(start, "customParameters")))
        ]

    def _media(self, media: JsonObject) -> list[IngestEvent]:
        name = media.get("track", "inbound")
        leg = LEGS.get(name) if isinstance(name, str) else None
        if leg is None or leg not in self._tracks:
            raise ProtocolViolation("media of a track that `start` did not name", BAD_CONTENT)
        number, stamp_ms = whole_number(media, "chunk"), whole_number(media, "timestamp")
        if (number or 0) > MOST_CHUNK or (stamp_ms or 0) > MOST_STAMP_MS:
            raise ProtocolViolation("media is stamped days ahead", BAD_CONTENT)
        return _media_of(leg, self._tracks[leg].feed(number, stamp_ms, _payload(media)))


def _payload(media: JsonObject) -> bytes:
    encoded = media.get("payload")
    if not isinstance(encoded, str):
        raise ProtocolViolation("media without `payload`", BAD_CONTENT)
    try:
        payload = binascii.a2b_base64(encoded, strict_mode=True)
    except ValueError:
        raise ProtocolViolation("a media payload is not base64", BAD_CONTENT) from None
    if len(payload) > MOST_PAYLOAD_BYTES:
        raise ProtocolViolation("a media payload holds more than a second", TOO_LARGE)
    return payload


def _media_of(leg: Leg, placed: list[Placed]) -> list[IngestEvent]:
    return [Media(leg, start_sample, payload) for start_sample, payload in placed]


def _dtmf(dtmf: JsonObject) -> list[IngestEvent]:
    digit = text(dtmf, "digit", most=1)
    leg = LEGS.get((text(dtmf, "track") or "inbound").removesuffix("_track"))
    return [Dtmf(leg, digit)] if leg and digit else []


def _tracks(start: JsonObject) -> list[Leg]:
    given = start.get("tracks", ["inbound"])
    names = cast("list[object]", given) if isinstance(given, list) else []
    if not names or any(name not in ("inbound", "outbound") for name in names):
        raise ProtocolViolation("`tracks` are not of inbound and outbound", BAD_START)
    return [leg for name, leg in LEGS.items() if name in names]


def _checked_format(given: JsonObject) -> LegFormat:
    """What is left out is what Twilio always sends."""
    encoding = given.get("encoding", "audio/x-mulaw")
    rate_hz = whole_number({"sampleRate": RATE_HZ, **given}, "sampleRate")
    channels = whole_number({"channels": 1, **given}, "channels")
    if encoding != "audio/x-mulaw" or rate_hz != RATE_HZ or channels != 1:
        raise ProtocolViolation(
            f"mediaFormat: want audio/x-mulaw, {RATE_HZ} Hz, one channel a track", BAD_START
        )
    return LegFormat(PCMU, RATE_HZ)
