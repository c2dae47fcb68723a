"""SignalWire's cXML `<Stream>`: Twilio's messages, in more codecs, perhaps inside a `rawEvent`."""

from __future__ import annotations

from streamtrace.protocols.fields import JsonObject, parameters, section, text
from streamtrace.protocols.tracked import (
    Coding,
    Opening,
    TrackedStream,
    checked_format,
    checked_tracks,
)
from streamtrace.values import G722, L16, PCMA, PCMU

ENCODINGS = {
    "audio/x-mulaw": Coding(PCMU, (8_000,)),
    "audio/x-alaw": Coding(PCMA, (8_000,)),
    "audio/x-g722": Coding(G722, (16_000, 8_000), line_hz=16_000),
    "audio/x-l16": Coding(L16, (16_000, 8_000, 24_000, 48_000)),  # little-endian
}


class SignalWireStream(TrackedStream):
    """As Twilio's; with both tracks it may speak of two channels, yet each track has one."""

    def unwrapped(self, content: JsonObject) -> JsonObject:
        """Their reference shows messages inside a `rawEvent`; that need not be so."""
        raw = section(content, "rawEvent")
        return {**content, **raw} if raw else content

    def opening(self, content: JsonObject) -> Opening:
        """The tracks that will come, each in the stream's codec."""
        start = section(content, "start")
        legs = checked_tracks(start)
        form = checked_format(
            section(start, "mediaFormat"),
            ENCODINGS,
            default="audio/x-mulaw",
            most_channels=len(legs),
        )
        return Opening(
            text(content, "streamSid") or text(start, "streamSid"),
            dict.fromkeys(legs, form),
            text(start, "callSid"),
            parameters(section(start, "customParameters")),
        )
