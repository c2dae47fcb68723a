"""Places a call in Telnyx's media streaming dialect: snake_case, in the codec of the call."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Mapping

from streamtrace.clients.endpoints import ingest_token
from streamtrace.clients.plan import CallPlan
from streamtrace.clients.streams import JsonObject, StreamCaller, place_stream

ENCODINGS = {"pcmu": "PCMU", "pcma": "PCMA", "g722": "G722", "l16": "L16"}


class TelnyxCaller(StreamCaller):
    """`start` does not name the tracks; each media message names its own."""

    protocol = "telnyx"

    def __init__(self, plan: CallPlan) -> None:
        super().__init__(plan)
        self._stream_id = str(uuid.uuid4())
        self._user_id = str(uuid.uuid4())

    def headers(self, path: str) -> Mapping[str, str] | None:
        """The ingest token, where `stream_auth_token` goes."""
        token = ingest_token()
        return {"x-telnyx-streaming-auth-token": token} if token else None

    def opening(self) -> list[JsonObject]:
        """Introduce the stream."""
        start = {
            "user_id": self._user_id,
            "call_control_id": self.plan.external_id,
            "call_session_id": str(uuid.uuid4()),
            "from": "+15550100",
            "to": "+15550101",
            "client_state": secrets.token_hex(4),
            "custom_parameters": {},
            "media_format": {
                "encoding": ENCODINGS[self.plan.codec],
                "sample_rate": self.coder.rate_hz,
                "channels": 1,
            },
        }
        return [
            {"event": "connected", "version": "1.0.0"},
            self._numbered({"event": "start", "start": start}),
        ]

    def media(self, track: str, frame: int, payload: str) -> JsonObject:
        """`chunk` counts from 1."""
        media = {
            "track": track,
            "chunk": str(frame + 1),
            "timestamp": str(frame * self.frame_ms),
            "payload": payload,
        }
        return self._numbered({"event": "media", "media": media})

    def closing(self) -> list[JsonObject]:
        """Say goodbye."""
        stop = {"user_id": self._user_id, "call_control_id": self.plan.external_id}
        return [self._numbered({"event": "stop", "stop": stop})]

    def _numbered(self, message: JsonObject) -> JsonObject:
        return message | {
            "sequence_number": str(self.next_number()),
            "stream_id": self._stream_id,
        }


async def call_telnyx(plan: CallPlan) -> None:
    """One or both parties."""
    await place_stream(TelnyxCaller(plan))
