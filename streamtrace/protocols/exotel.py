"""Exotel's Stream and Voicebot applets: linear PCM in pieces of 100 ms, the caller alone."""

from __future__ import annotations

from streamtrace.protocols.fields import JsonObject, parameters, section, text
from streamtrace.protocols.tracked import Coding, Opening, TrackedStream, checked_format
from streamtrace.values import L16, PCMU, Leg

_LINEAR = Coding(L16, (8_000, 16_000, 24_000))
ENCODINGS = {
    "audio/x-raw": _LINEAR,
    "base64": _LINEAR,  # what some of its streams call the same
    "audio/x-mulaw": Coding(PCMU, (8_000,)),
}


class ExotelStream(TrackedStream):
    """`connected`, `start`, then `media`, `dtmf` and `mark`, then `stop`; no tracks are named."""

    id_key = "stream_sid"
    may_wait_s = 0.02  # of 100 ms
    audio_is_text = True
    most_held = 1  # pieces are long: more would cost latency

    def opening(self, content: JsonObject) -> Opening:
        """One party."""
        start = section(content, "start")
        form = checked_format(
            section(start, "media_format"), ENCODINGS, rate_key="sample_rate", default="audio/x-raw"
        )
        return Opening(
            text(content, "stream_sid") or text(start, "stream_sid"),
            {Leg.CALLER: form},
            text(start, "call_sid"),
            parameters(section(start, "custom_parameters")),
        )
