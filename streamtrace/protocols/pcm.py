"""Bare PCM16 over a WebSocket, as many platforms send it behind an optional text preamble.

jambonz, mod_audio_fork, mod_audio_stream, Vonage and LiveKit egress differ only in that preamble.
`{"event": "stop"}` says goodbye where the sender wants to stay and read the final decision.
"""

from __future__ import annotations

import re

import numpy as np

from streamtrace.errors import ProtocolViolation
from streamtrace.protocols.fields import (
    NOTHING,
    JsonObject,
    json_object,
    parameters,
    section,
    text,
    whole_number,
)
from streamtrace.protocols.ingest import (
    BAD_START,
    SECOND_START,
    Dtmf,
    Ended,
    IngestEvent,
    LegFormat,
    Media,
    MediaStream,
    Started,
)
from streamtrace.values import L16, EndReason, Leg

LEAST_RATE_HZ, MOST_RATE_HZ = 8_000, 48_000
LEGS = (Leg.CALLER, Leg.CALLEE)  # by channel
CHANNELS = {"mono": 1, "mixed": 1, "stereo": 2}
SUBPROTOCOLS = ("audio.jambonz.org", "audio.drachtio.org")  # echoed to those who offer them

_EXTERNAL_ID_KEYS = ("callSid", "external_id", "uuid")
_DTMF_EVENTS = ("dtmf", "websocket:dtmf")
_RATE_IN_TYPE = re.compile(r"audio/l16;\s*rate=(\d{4,6})", re.ASCII | re.IGNORECASE)


class PcmStream(MediaStream):
    """Samples follow one another without positions: only the transport can lose them, all at once.

    How messages cut the samples does not matter: half a sample waits for its other half.
    """

    def __init__(
        self,
        rate_hz: int = 16_000,
        channels: int = 1,
        external_id: str | None = None,
        *,
        tells: bool = False,
    ) -> None:
        self.tells = tells
        self._rate_hz = _checked_rate(rate_hz)
        self._channels = _checked_channels(channels)
        self._external_id = external_id
        self._position = 0
        self._rest = b""  # less than one sample of every channel
        self._started = False
        self._ended = False

    def feed(self, message: str | bytes) -> list[IngestEvent]:
        """Take one message."""
        if self._ended:
            return []
        if isinstance(message, bytes):
            started = [] if self._started else [self._start(NOTHING)]
            return [*started, *self._media(message)]
        try:
            content = json_object(message)
        except ProtocolViolation:
            content = NOTHING  # FreeSWITCH sends any metadata there is, JSON or not
        return self._text(content) if self._started else [self._start(content)]

    def flush(self) -> list[IngestEvent]:
        """Nothing is held back; half a sample is no sample."""
        return []

    def _start(self, preamble: JsonObject) -> Started:
        """What the preamble says goes over what the URL said."""
        self._rate_hz = _checked_rate(_rate(preamble) or self._rate_hz)
        if "mixType" in preamble:
            self._channels = _checked_channels(CHANNELS.get(text(preamble, "mixType") or "", 0))
        named = (text(preamble, key) for key in _EXTERNAL_ID_KEYS)
        self._started = True
        return Started(
            {leg: LegFormat(L16, self._rate_hz) for leg in LEGS[: self._channels]},
            next(filter(None, named), self._external_id),
            parameters(section(preamble, "metadata")),
        )

    def _text(self, content: JsonObject) -> list[IngestEvent]:
        if "sampleRate" in content:
            raise ProtocolViolation("a second preamble on this stream", SECOND_START)
        event = text(content, "event")
        if event == "stop":
            self._ended = True
            return [Ended(EndReason.HUNG_UP)]
        digit = text(content, "digit", most=1) or text(content, "dtmf", most=1)
        return [Dtmf(Leg.CALLER, digit)] if event in _DTMF_EVENTS and digit else []

    def _media(self, payload: bytes) -> list[IngestEvent]:
        payload = self._rest + payload
        whole = len(payload) - len(payload) % (2 * self._channels)
        self._rest = payload[whole:]
        if not whole:
            return []
        start = self._position
        samples = np.frombuffer(payload[:whole], "<i2").reshape(-1, self._channels)
        self._position += len(samples)
        return [
            Media(leg, start, samples[:, channel].tobytes())
            for channel, leg in enumerate(LEGS[: self._channels])
        ]


def _rate(preamble: JsonObject) -> int | None:
    if "sampleRate" in preamble:
        return whole_number(preamble, "sampleRate") or 1  # what cannot be read is out of range
    in_type = _RATE_IN_TYPE.fullmatch(text(preamble, "content-type") or "")
    return int(in_type[1]) if in_type else None


def _checked_rate(rate_hz: int) -> int:
    if not LEAST_RATE_HZ <= rate_hz <= MOST_RATE_HZ:
        raise ProtocolViolation(f"a rate outside {LEAST_RATE_HZ} to {MOST_RATE_HZ} Hz", BAD_START)
    return rate_hz


def _checked_channels(channels: int) -> int:
    if channels not in (1, 2):
        raise ProtocolViolation(
            "channels: want 1 or 2, or mixType mono, mixed or stereo", BAD_START
        )
    return channels
