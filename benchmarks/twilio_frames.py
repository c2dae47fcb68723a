"""Twilio's messages as masked WebSocket frames, made before a run, shared by its calls."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from streamtrace.audio.g711 import encode_mulaw
from streamtrace.clients.rate import at_rate
from streamtrace.values import Float32s

RATE_HZ = 8_000
FRAME_MS = 20
FRAME_BYTES = RATE_HZ * FRAME_MS // 1000
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10

_FINAL = 0x80
_MASKED = 0x80


def client_frame(opcode: int, payload: bytes) -> bytes:
    """One whole message as a client must send it (RFC 6455): masked with a fresh key."""
    key = secrets.token_bytes(4)
    if len(payload) < 126:
        head = bytes([_FINAL | opcode, _MASKED | len(payload)])
    elif len(payload) < 1 << 16:
        head = bytes([_FINAL | opcode, _MASKED | 126]) + len(payload).to_bytes(2, "big")
    else:
        head = bytes([_FINAL | opcode, _MASKED | 127]) + len(payload).to_bytes(8, "big")
    plain = np.frombuffer(payload, np.uint8)
    mask = np.resize(np.frombuffer(key, np.uint8), len(plain))
    return head + key + (plain ^ mask).tobytes()


@dataclass(frozen=True, slots=True)
class TwilioScript:
    """Everything that the calls of one voice say behind their `start`."""

    stream_sid: str  # the same in every call: it names a stream on its own socket alone
    media: list[bytes]  # one frame every 20 ms
    stop: bytes

    @classmethod
    def of(cls, pcm: Float32s, seconds: float) -> TwilioScript:
        """The voice [T] at 16 kHz, repeated to length."""
        count = round(seconds * 1000 / FRAME_MS)
        mulaw = np.frombuffer(encode_mulaw(at_rate(pcm, RATE_HZ)), np.uint8)
        payloads = np.resize(mulaw, count * FRAME_BYTES).reshape(count, FRAME_BYTES)
        sid = f"MZ{secrets.token_hex(16)}"
        media = [_media(sid, number, row.tobytes()) for number, row in enumerate(payloads)]
        stop = {"accountSid": "AC0", "callSid": "CA0"}
        return cls(sid, media, _message(sid, "stop", count + 2, stop))

    def opening(self, call_sid: str) -> bytes:
        """`connected` and `start` of one call."""
        connected = {"event": "connected", "protocol": "Call", "version": "1.0.0"}
        start = {
            "accountSid": "AC0",
            "streamSid": self.stream_sid,
            "callSid": call_sid,
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": RATE_HZ, "channels": 1},
            "customParameters": {},
        }
        first = client_frame(TEXT, json.dumps(connected).encode())
        return first + _message(self.stream_sid, "start", 1, start)


def _media(sid: str, number: int, payload: bytes) -> bytes:
    media = {
        "track": "inbound",
        "chunk": str(number + 1),
        "timestamp": str(number * FRAME_MS),
        "payload": base64.b64encode(payload).decode(),
    }
    return _message(sid, "media", number + 2, media)


def _message(sid: str, event: str, number: int, content: Mapping[str, object]) -> bytes:
    message = {"event": event, "sequenceNumber": str(number), event: content, "streamSid": sid}
    return client_frame(TEXT, json.dumps(message).encode())
