"""Bare PCM16 over a WebSocket, as many platforms send it behind an optional text preamble.

jambonz, mod_audio_fork, mod_audio_stream, Vonage, LiveKit egress and Sinch differ only in what they
say beside the audio. `{"event": "stop"}` says goodbye where the sender wants to stay and read the
final decision.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from streamtrace.errors import ProtocolViolation
from streamtrace.protocols.fields import NOTHING, JsonObject, json_object, text
from streamtrace.protocols.ingest import (
    BAD_START,
    SECOND_START,
    Dtmf,
    Ended,
    IngestEvent,
    LegFormat,
    Media,
    MediaStream,
    Quiet,
    Reply,
    Started,
)
from streamtrace.protocols.preamble import (
    ACCEPTS,
    NO_PREAMBLE,
    REJECTS,
    SINCH,
    Preamble,
    is_preamble,
    read_preamble,
)
from streamtrace.values import L16, EndReason, Leg

LEAST_RATE_HZ, MOST_RATE_HZ = 8_000, 48_000
LEGS = (Leg.CALLER, Leg.CALLEE)  # by channel
SEAM_MS = 240  # of silence, where a muted party goes on: what it said before is not joined to it

_DTMF_EVENTS = ("dtmf", "websocket:dtmf")


class PcmStream(MediaStream):
    """Samples follow one another without positions: only the transport can lose them, all at once.

    How messages cut the samples does not matter: half a sample waits for its other half. What the
    preamble says goes over what the URL said; `platform` is how the far side showed at the upgrade.
    """

    def __init__(
        self,
        rate_hz: int = 16_000,
        channels: int = 1,
        external_id: str | None = None,
        *,
        parameters: Mapping[str, str] | None = None,
        platform: str | None = None,
        tells: bool = False,
    ) -> None:
        self.tells = tells
        self._rate_hz = _checked_rate(rate_hz)
        self._channels = _checked_channels(channels)
        self._external_id = external_id
        self._parameters = parameters or {}
        self._platform = platform
        self._position = 0
        self._rest = b""  # less than one sample of every channel
        self._started = False
        self._ended = False
        self._owes_answer = False
        self._quiet_since: int | None = None  # the position at which the party was muted

    def feed(self, message: str | bytes) -> list[IngestEvent]:
        """Take one message."""
        if self._ended:
            return []
        if isinstance(message, bytes):
            started = [] if self._started else self._start(NO_PREAMBLE)
            return [*started, *self._media(message)]
        content = _content(message)
        if self._started:
            return self._text(content)
        if "muted" in content:  # no preamble, but already news of the track
            return [*self._start(NO_PREAMBLE), *self._text(content)]
        return self._start(read_preamble(content))

    def flush(self) -> list[IngestEvent]:
        """Nothing is held back; half a sample is no sample."""
        return []

    def farewell(self, reason: EndReason, problem: str | None) -> list[str]:
        """Who waits for an answer gets one."""
        return [REJECTS] if self._owes_answer else []

    def _start(self, preamble: Preamble) -> list[IngestEvent]:
        self._owes_answer = preamble.platform == SINCH
        if preamble.rate_hz is not None:
            self._rate_hz = _checked_rate(preamble.rate_hz)
        if preamble.channels is not None:
            self._channels = _checked_channels(preamble.channels)
        self._started = True
        started = Started(
            {leg: LegFormat(L16, self._rate_hz) for leg in LEGS[: self._channels]},
            preamble.external_id or self._external_id,
            {**self._parameters, **preamble.parameters},
            protocol=preamble.platform or self._platform,
        )
        if not self._owes_answer:
            return [started]
        self._owes_answer = False
        return [started, Reply(ACCEPTS)]

    def _text(self, content: JsonObject) -> list[IngestEvent]:
        if is_preamble(content):
            raise ProtocolViolation("a second preamble on this stream", SECOND_START)
        event = text(content, "event")
        if event == "stop":
            self._ended = True
            return [Ended(EndReason.HUNG_UP)]
        if isinstance(muted := content.get("muted"), bool):
            return self._mute() if muted else self._unmute()
        digit = text(content, "digit", most=1) or text(content, "dtmf", most=1)
        return [Dtmf(Leg.CALLER, digit)] if event in _DTMF_EVENTS and digit else []

    def _mute(self) -> list[IngestEvent]:
        """Nothing may come for as long as it likes."""
        if self._quiet_since is None:
            self._quiet_since = self._position
        return [Quiet(is_on=True)]

    def _unmute(self) -> list[IngestEvent]:
        """The stream goes on; how long nothing came it does not say, and no audio was lost."""
        was_joined = self._quiet_since == self._position and self._position > 0
        self._quiet_since = None
        seam = bytes(2 * self._channels * (self._rate_hz * SEAM_MS // 1000))
        return [Quiet(is_on=False), *(self._placed(seam) if was_joined else [])]

    def _media(self, payload: bytes) -> list[IngestEvent]:
        payload = self._rest + payload
        whole = len(payload) - len(payload) % (2 * self._channels)
        self._rest = payload[whole:]
        return self._placed(payload[:whole]) if whole else []

    def _placed(self, payload: bytes) -> list[IngestEvent]:
        """Whole samples of every channel."""
        start = self._position
        self._position += len(payload) // (2 * self._channels)
        if self._channels == 1:
            return [Media(Leg.CALLER, start, payload)]
        samples = np.frombuffer(payload, "<i2").reshape(-1, self._channels)
        return [Media(leg, start, samples[:, at].tobytes()) for at, leg in enumerate(LEGS)]


def _content(message: str) -> JsonObject:
    try:
        return json_object(message)
    except ProtocolViolation:
        return NOTHING  # FreeSWITCH sends any metadata there is, JSON or not


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
