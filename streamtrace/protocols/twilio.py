"""Twilio Media Streams: JSON text messages, mu-law in base64, one numbered track per party."""

from __future__ import annotations

from streamtrace.protocols.fields import JsonObject, parameters, section, text
from streamtrace.protocols.tracked import (
    Coding,
    Opening,
    TrackedStream,
    checked_format,
    checked_tracks,
)
from streamtrace.values import PCMU

ENCODINGS = {"audio/x-mulaw": Coding(PCMU, (8_000,))}


class TwilioStream(TrackedStream):
    """`connected`, `start`, then `media`, `dtmf` and `mark`, then `stop`."""

    def opening(self, content: JsonObject) -> Opening:
        """Twilio names the tracks that will come."""
        start = section(content, "start")
        form = checked_format(section(start, "mediaFormat"), ENCODINGS, default="audio/x-mulaw")
        return Opening(
            text(content, "streamSid") or text(start, "streamSid"),
            dict.fromkeys(checked_tracks(start), form),
            text(start, "callSid"),
            parameters(section(start, "customParameters")),
        )
