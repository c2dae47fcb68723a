"""Asterisk's WebSocket channel (chan_websocket): control as text, media as bare frames."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from streamtrace.errors import ProtocolViolation
from streamtrace.protocols.fields import (
    JsonObject,
    json_object,
    parameters,
    section,
    text,
)
from streamtrace.protocols.ingest import (
    BAD_CONTENT,
    BAD_START,
    SECOND_START,
    TOO_LARGE,
    WRONG_STREAM,
    Dtmf,
    IngestEvent,
    LegFormat,
    Media,
    MediaStream,
    Started,
)
from streamtrace.values import L16, PCMA, PCMU, Leg

SUBPROTOCOLS = ("media",)  # Asterisk wants it back
MOST_WORDS = 64  # of a plain-text message
MOST_NAME = 32  # characters of a format's: it is repeated where it cannot be heard

# Asterisk's names of formats; slin has its machine's byte order, in practice little-endian.
FORMATS = {
    "ulaw": LegFormat(PCMU, 8_000),
    "alaw": LegFormat(PCMA, 8_000),
    "slin": LegFormat(L16, 8_000),
    "slin12": LegFormat(L16, 12_000),
    "slin16": LegFormat(L16, 16_000),
    "slin24": LegFormat(L16, 24_000),
    "slin32": LegFormat(L16, 32_000),
    "slin44": LegFormat(L16, 44_100),
    "slin48": LegFormat(L16, 48_000),
    "slin96": LegFormat(L16, 96_000),
    "slin192": LegFormat(L16, 192_000),
    "g722": LegFormat("G722", 16_000),
    "opus": LegFormat("OPUS", 48_000),
}


class AsteriskStream(MediaStream):
    """`MEDIA_START`, then media and what Asterisk tells of it; closing the socket is the end.

    Control is JSON or plain words, told apart by each message. Nothing is ever sent: to listen is
    what is asked for by saying nothing. What Asterisk says about media sent to it (`MEDIA_XOFF`,
    `STATUS`, …), and what later versions add, is left out in silence.
    """

    def __init__(
        self,
        codecs: Mapping[str, Callable[[bytes], int]],
        query: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._codecs = codecs  # those that can be heard: how many samples a message holds
        self._query = query
        self._form: LegFormat | None = None
        self._samples_in: Callable[[bytes], int] = len
        self._channel_id: str | None = None
        self._position = 0

    def feed(self, message: str | bytes) -> list[IngestEvent]:
        """Take one message."""
        if isinstance(message, bytes):
            return self._media(message)
        content = json_object(message) if message.lstrip()[:1] == "{" else _words(message)
        event = text(content, "event")
        if self._form is None:
            if event != "MEDIA_START":
                raise ProtocolViolation("the stream does not begin with MEDIA_START", BAD_START)
            return [self._start(content)]
        if event == "MEDIA_START":
            raise ProtocolViolation("a second MEDIA_START on this stream", SECOND_START)
        if event is None:
            raise ProtocolViolation("a message without `event`", BAD_CONTENT)
        if text(content, "channel_id") not in (None, self._channel_id):
            raise ProtocolViolation("a message of another channel", WRONG_STREAM)
        digit = text(content, "digit", most=1) if event == "DTMF_END" else None
        return [Dtmf(Leg.CALLER, digit)] if digit else []

    def flush(self) -> list[IngestEvent]:
        """Nothing is held back."""
        return []

    def _start(self, content: JsonObject) -> Started:
        name = text(content, "format", most=MOST_NAME) or ""
        form = FORMATS.get(name)
        if form is None or form.codec not in self._codecs:
            heard = ", ".join(known for known, one in FORMATS.items() if one.codec in self._codecs)
            raise ProtocolViolation(f"format {name or '?'}: want c(…) with {heard}", BAD_START)
        self._form, self._samples_in = form, self._codecs[form.codec]
        # The connection's id is the name of its configuration, the same for all calls. Versions
        # before the channel's id was told have its name, which is unique as long as it lives.
        self._channel_id = text(content, "channel_id")
        # A variable that is inherited by all channels further on keeps its underscores.
        given = parameters(section(content, "channel_variables"))
        variables = {key.lstrip("_"): value for key, value in given.items()}
        external_id = (
            variables.pop("external_id", None) or self._channel_id or text(content, "channel")
        )
        if external_id is None:
            raise ProtocolViolation("MEDIA_START names no channel", BAD_START)
        # Asterisk may bring an earlier call's query along, so it names no call and gives way.
        query = {key: one for key, one in parameters(self._query).items() if key != "external_id"}
        return Started({Leg.CALLER: form}, external_id, query | variables)

    def _media(self, payload: bytes) -> list[IngestEvent]:
        if self._form is None:
            raise ProtocolViolation("media before MEDIA_START", BAD_START)
        if self._form.codec == L16 and len(payload) % 2:
            raise ProtocolViolation(f"{len(payload)} bytes of 16-bit samples", BAD_CONTENT)
        samples = self._samples_in(payload)
        if samples > self._form.rate_hz:
            raise ProtocolViolation("a message holds more than a second of audio", TOO_LARGE)
        start = self._position
        self._position += samples
        return [Media(Leg.CALLER, start, payload)] if samples else []


def _words(message: str) -> JsonObject:
    """`EVENT key:value …`, as the JSON that it stands for."""
    event, *pairs = message.split(maxsplit=MOST_WORDS)[:MOST_WORDS] or [""]
    named = (pair.partition(":") for pair in pairs)
    return {"event": event, **{key: value for key, colon, value in named if colon}}
