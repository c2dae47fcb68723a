"""Plivo audio streams: no `connected`, no `stop`; the end of the socket is the end of the call."""

from __future__ import annotations

import json
import re
from typing import cast

from streamtrace.protocols.fields import JsonObject, parameters, section, text, whole_number
from streamtrace.protocols.ingest import IngestEvent
from streamtrace.protocols.tracked import (
    Coding,
    Opening,
    TrackedStream,
    checked_format,
    checked_tracks,
)
from streamtrace.values import L16, PCMU

ENCODINGS = {
    "audio/x-mulaw": Coding(PCMU, (8_000,)),
    "audio/x-l16": Coding(L16, (8_000, 16_000)),
}
MOST_HEADERS = 1_024  # characters; Plivo itself allows 512 bytes

_PAIR = re.compile(r"\s*([^=;,]+)=([^;,]*)")


class PlivoStream(TrackedStream):
    """Its stamps may count from any time, so the first one is taken for the stream's beginning."""

    id_key = "streamId"
    mark_event = "playedStream"

    def __init__(self) -> None:
        super().__init__()
        self._began_ms: int | None = None

    def opening(self, content: JsonObject) -> Opening:
        """What the integrator passed along lies outside of `start`."""
        start = section(content, "start")
        form = checked_format(section(start, "mediaFormat"), ENCODINGS, default="audio/x-l16")
        return Opening(
            text(start, "streamId") or text(content, "streamId"),
            dict.fromkeys(checked_tracks(start), form),
            text(start, "callId"),
            parameters(_extra_headers(content.get("extra_headers"))),
        )

    def media(self, media: JsonObject) -> list[IngestEvent]:
        """A frame, stamped since the beginning of the stream."""
        stamp_ms = whole_number(media, "timestamp")
        if stamp_ms is not None:
            if self._began_ms is None:
                self._began_ms = stamp_ms
            media = {**media, "timestamp": max(0, stamp_ms - self._began_ms)}
        return super().media(media)


def _extra_headers(given: object) -> JsonObject:
    """`k=v;k2=v2`, with commas as well, or an object in JSON."""
    if isinstance(given, dict):
        return cast("JsonObject", given)
    if not isinstance(given, str) or len(given) > MOST_HEADERS:
        return {}
    if given.lstrip().startswith("{"):
        try:
            value: object = json.loads(given)
        except (ValueError, RecursionError):
            return {}
        return cast("JsonObject", value) if isinstance(value, dict) else {}
    return {pair[1].strip(): pair[2].strip() for pair in _PAIR.finditer(given)}
