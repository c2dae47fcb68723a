"""Places a call as SignalWire's cXML `<Stream>` does: Twilio's messages, in more codecs."""

from __future__ import annotations

from collections.abc import Mapping

from streamtrace.clients.plan import CallPlan
from streamtrace.clients.streams import JsonObject, place_stream
from streamtrace.clients.twilio import TwilioCaller

ENCODINGS = {"pcmu": "audio/x-mulaw", "l16": "audio/x-L16", "l16-24k": "audio/x-L16"}


class SignalWireCaller(TwilioCaller):
    """Its upgrade brings a Bearer token (`authBearerToken`) and no signature."""

    protocol = "signalwire"

    def headers(self, path: str) -> Mapping[str, str] | None:
        """The ingest token."""
        return None

    def media_format(self) -> JsonObject:
        """In the codec of `<Stream codec=…>`."""
        encoding = ENCODINGS[self.plan.codec]
        return {"encoding": encoding, "sampleRate": self.coder.rate_hz, "channels": 1}


async def call_signalwire(plan: CallPlan) -> None:
    """One or both parties."""
    await place_stream(SignalWireCaller(plan))
