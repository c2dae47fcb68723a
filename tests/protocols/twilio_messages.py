"""Messages of Twilio Media Streams, as the platform words them."""

from __future__ import annotations

import base64
import json
from typing import Any

STREAM_SID = "MZ" + "0" * 32


def twilio_connected() -> str:
    return json.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"})


def twilio_start(*tracks: str, call_sid: str = "CA1", **changes: Any) -> str:
    start = {
        "accountSid": "AC1",
        "streamSid": STREAM_SID,
        "callSid": call_sid,
        "tracks": list(tracks or ("inbound",)),
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        "customParameters": {"line": "sales"},
    }
    message = {"event": "start", "sequenceNumber": "1", "streamSid": STREAM_SID}
    return json.dumps(message | {"start": start | changes})


def twilio_media(
    chunk: int,
    *,
    stamp_ms: int | None = None,
    track: str = "inbound",
    payload: bytes = b"\xff" * 160,
) -> str:
    media = {
        "track": track,
        "chunk": str(chunk),
        "timestamp": str((chunk - 1) * 20 if stamp_ms is None else stamp_ms),
        "payload": base64.b64encode(payload).decode(),
    }
    message = {"event": "media", "sequenceNumber": "3", "streamSid": STREAM_SID}
    return json.dumps(message | {"media": media})


def twilio_stop() -> str:
    return json.dumps(
        {
            "event": "stop",
            "sequenceNumber": "5",
            "streamSid": STREAM_SID,
            "stop": {"callSid": "CA1"},
        }
    )
