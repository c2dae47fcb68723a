"""Places a call in Plivo's audio stream dialect; the end of the socket is its goodbye."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping

from streamtrace.clients.endpoints import ingest_token
from streamtrace.clients.plan import CallPlan
from streamtrace.clients.streams import JsonObject, StreamCaller, place_stream

ENCODINGS = {"l16-8k": "audio/x-l16", "l16": "audio/x-l16", "pcmu": "audio/x-mulaw"}


class PlivoCaller(StreamCaller):
    """Numbers are numbers, and stamps are the time of day."""

    protocol = "plivo"

    def __init__(self, plan: CallPlan) -> None:
        super().__init__(plan)
        self._stream_id = str(uuid.uuid4())
        self._began_ms = round(time.time() * 1000)

    def headers(self, path: str) -> Mapping[str, str] | None:
        """None: Plivo's extra headers are in `start`."""
        return {}

    def opening(self) -> list[JsonObject]:
        """Introduce the stream."""
        token = ingest_token()
        start = {
            "callId": self.plan.external_id,
            "streamId": self._stream_id,
            "accountId": "MA00000000000000000000",
            "tracks": self.tracks,
            "mediaFormat": {
                "encoding": ENCODINGS[self.plan.codec],
                "sampleRate": self.coder.rate_hz,
            },
        }
        return [
            {
                "event": "start",
                "sequenceNumber": self.next_number(),
                "start": start,
                "extra_headers": f"token={token}" if token else "{}",
            }
        ]

    def media(self, track: str, frame: int, payload: str) -> JsonObject:
        """`chunk` counts from 1."""
        return {
            "event": "media",
            "sequenceNumber": self.next_number(),
            "streamId": self._stream_id,
            "media": {
                "track": track,
                "chunk": frame + 1,
                "timestamp": str(self._began_ms + frame * self.frame_ms),
                "payload": payload,
            },
        }


async def call_plivo(plan: CallPlan) -> None:
    """One or both parties."""
    await place_stream(PlivoCaller(plan))
