"""Places a call in Exotel's dialect: linear PCM in pieces of 100 ms, the caller alone."""

from __future__ import annotations

import secrets
from base64 import b64encode
from collections.abc import Mapping

from streamtrace.clients.endpoints import ingest_token
from streamtrace.clients.plan import CallPlan
from streamtrace.clients.streams import JsonObject, StreamCaller, place_stream


class ExotelCaller(StreamCaller):
    """No tracks are named; numbers are strings."""

    protocol = "exotel"
    frame_ms = 100

    def __init__(self, plan: CallPlan) -> None:
        super().__init__(plan)
        self._stream_sid = secrets.token_hex(16)

    def headers(self, path: str) -> Mapping[str, str] | None:
        """The ingest token as the password in `wss://user:password@…`."""
        token = ingest_token()
        if token is None:
            return None
        return {"authorization": f"Basic {b64encode(f'exotel:{token}'.encode()).decode()}"}

    def opening(self) -> list[JsonObject]:
        """Introduce the stream."""
        start = {
            "stream_sid": self._stream_sid,
            "call_sid": self.plan.external_id,
            "account_sid": "exotel1",
            "from": "+15550100",
            "to": "+15550101",
            "custom_parameters": {},
            "media_format": {
                "encoding": "audio/x-raw",
                "sample_rate": str(self.coder.rate_hz),
                "bit_rate": "16",
            },
        }
        return [{"event": "connected"}, self._numbered({"event": "start", "start": start})]

    def media(self, track: str, frame: int, payload: str) -> JsonObject:
        """`chunk` counts from 1."""
        media = {
            "chunk": str(frame + 1),
            "timestamp": str(frame * self.frame_ms),
            "payload": payload,
        }
        return self._numbered({"event": "media", "media": media})

    def closing(self) -> list[JsonObject]:
        """Say goodbye."""
        stop = {"call_sid": self.plan.external_id, "account_sid": "exotel1", "reason": "callended"}
        return [self._numbered({"event": "stop", "stop": stop})]

    def _numbered(self, message: JsonObject) -> JsonObject:
        return message | {
            "sequence_number": str(self.next_number()),
            "stream_sid": self._stream_sid,
        }


async def call_exotel(plan: CallPlan) -> None:
    """The caller."""
    await place_stream(ExotelCaller(plan))
