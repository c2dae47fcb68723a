"""Telnyx media streaming: RTP payloads without their headers, in the codec of the call."""

from __future__ import annotations

from collections.abc import Mapping

from streamtrace.protocols.fields import JsonObject, parameters, section, text
from streamtrace.protocols.tracked import (
    LEGS,
    SAMPLES_IN,
    Coding,
    Opening,
    SamplesIn,
    TrackedStream,
    checked_format,
)
from streamtrace.values import G722, L16, PCMA, PCMU

ENCODINGS = {
    "pcmu": Coding(PCMU, (8_000,)),
    "pcma": Coding(PCMA, (8_000,)),
    "g722": Coding(G722, (16_000, 8_000), line_hz=16_000),  # RTP's clock says 8,000
    "opus": Coding("OPUS", (48_000, 24_000, 16_000, 8_000), line_hz=48_000),
    "l16": Coding(L16, (16_000, 8_000, 24_000, 48_000)),  # little-endian, unlike in RTP
}


class TelnyxStream(TrackedStream):
    """Order is not promised, so frames are put in order by their chunk's number.

    `start` does not say whether both parties will be heard: a leg is there once it is. An `error`
    is about what is sent to Telnyx; here nothing is.
    """

    id_key = "stream_id"

    def __init__(self, samples_in: Mapping[str, SamplesIn] = SAMPLES_IN) -> None:
        super().__init__(samples_in)
        self._encodings = {
            name: coding for name, coding in ENCODINGS.items() if coding.codec in samples_in
        }

    def opening(self, content: JsonObject) -> Opening:
        """The call's codec may be one that cannot be heard here, such as AMR-WB."""
        start = section(content, "start")
        form = checked_format(
            section(start, "media_format"), self._encodings, rate_key="sample_rate", default="pcmu"
        )
        return Opening(
            text(content, "stream_id"),
            dict.fromkeys(LEGS.values(), form),
            text(start, "call_control_id"),
            parameters(section(start, "custom_parameters")),
            legs_come_late=True,
        )
