"""Places a call in the Twilio Media Streams dialect: 20 ms mu-law frames in JSON messages."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping

from streamtrace.clients.plan import CallPlan
from streamtrace.clients.streams import JsonObject, StreamCaller, place_stream
from streamtrace.protocols.signatures import stream_address, twilio_signature


class TwilioCaller(StreamCaller):
    """Every number in it is a string, as the platform sends them.

    With `STREAMTRACE_TWILIO_AUTH_TOKEN` in the environment the upgrade is signed, for the address
    under `STREAMTRACE_PUBLIC_URL` or, without that, the one that is called.
    """

    protocol = "twilio"

    def __init__(self, plan: CallPlan) -> None:
        super().__init__(plan)
        self._stream_sid = f"MZ{secrets.token_hex(16)}"
        self._account_sid = f"AC{secrets.token_hex(16)}"

    def headers(self, path: str) -> Mapping[str, str] | None:
        """The signature, where there is a secret to sign with."""
        auth_token = os.environ.get("STREAMTRACE_TWILIO_AUTH_TOKEN")
        if not auth_token:
            return None
        public_url = os.environ.get("STREAMTRACE_PUBLIC_URL") or self.plan.base_url
        return {
            "x-twilio-signature": twilio_signature(auth_token, stream_address(public_url, path))
        }

    def media_format(self) -> JsonObject:
        """How the audio comes."""
        return {"encoding": "audio/x-mulaw", "sampleRate": self.coder.rate_hz, "channels": 1}

    def opening(self) -> list[JsonObject]:
        """Introduce the stream."""
        start = {
            "accountSid": self._account_sid,
            "streamSid": self._stream_sid,
            "callSid": self.plan.external_id,
            "tracks": self.tracks,
            "mediaFormat": self.media_format(),
            "customParameters": {},
        }
        connected: JsonObject = {"event": "connected", "protocol": "Call", "version": "1.0.0"}
        return [connected, self._numbered({"event": "start", "start": start})]

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
        stop = {"accountSid": self._account_sid, "callSid": self.plan.external_id}
        return [self._numbered({"event": "stop", "stop": stop})]

    def _numbered(self, message: JsonObject) -> JsonObject:
        return message | {
            "sequenceNumber": str(self.next_number()),
            "streamSid": self._stream_sid,
        }


async def call_twilio(plan: CallPlan) -> None:
    """One or both parties."""
    await place_stream(TwilioCaller(plan))
