"""Places a call in the Twilio Media Streams dialect: 20 ms mu-law frames in JSON messages."""

from __future__ import annotations

import base64
import json
import secrets

from websockets.exceptions import ConnectionClosed, WebSocketException

from streamtrace.audio.g711 import encode_mulaw
from streamtrace.clients.damage import departures
from streamtrace.clients.endpoints import ClientConnection, open_websocket
from streamtrace.clients.plan import CallPlan
from streamtrace.clients.rate import at_rate
from streamtrace.errors import CallFailed
from streamtrace.values import Float32s

RATE_HZ = 8_000
FRAME_BYTES = 160
FRAME_MS = 20
SILENCE = b"\xff"  # mu-law zero

JsonObject = dict[str, object]


class TwilioCaller:
    """One stream; every number in it is a string, as the platform sends them."""

    def __init__(self, websocket: ClientConnection, call_sid: str, tracks: list[str]) -> None:
        self._websocket = websocket
        self._call_sid = call_sid
        self._stream_sid = f"MZ{secrets.token_hex(16)}"
        self._account_sid = f"AC{secrets.token_hex(16)}"
        self._tracks = tracks
        self._sequence = 0

    async def start(self) -> None:
        """Introduce the stream."""
        await self._send({"event": "connected", "protocol": "Call", "version": "1.0.0"})
        start = {
            "accountSid": self._account_sid,
            "streamSid": self._stream_sid,
            "callSid": self._call_sid,
            "tracks": self._tracks,
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": RATE_HZ, "channels": 1},
            "customParameters": {},
        }
        await self._send_numbered({"event": "start", "start": start})

    async def media(self, track: str, frame: int, payload: bytes) -> None:
        """Send frame number `frame` of a track; `chunk` counts from 1."""
        media = {
            "track": track,
            "chunk": str(frame + 1),
            "timestamp": str(frame * FRAME_MS),
            "payload": base64.b64encode(payload).decode(),
        }
        await self._send_numbered({"event": "media", "media": media})

    async def stop(self) -> None:
        """Say goodbye."""
        stop = {"accountSid": self._account_sid, "callSid": self._call_sid}
        await self._send_numbered({"event": "stop", "stop": stop})

    async def _send_numbered(self, message: JsonObject) -> None:
        self._sequence += 1
        numbered = {"sequenceNumber": str(self._sequence), "streamSid": self._stream_sid}
        await self._send(message | numbered)

    async def _send(self, message: JsonObject) -> None:
        await self._websocket.send(json.dumps(message))


async def call_twilio(plan: CallPlan) -> None:
    """The caller is the inbound track, the callee the outbound one."""
    base_url, pace = plan.base_url, plan.pace
    tracks = {"inbound": _mulaw_frames(plan.pcm)}
    if plan.callee is not None:
        tracks["outbound"] = _mulaw_frames(plan.callee)
    longest = max(len(frames) for frames in tracks.values())
    try:
        async with open_websocket(base_url, "/v1/ingest/twilio") as websocket:
            caller = TwilioCaller(websocket, plan.external_id, list(tracks))
            await caller.start()
            for departure in departures(longest, FRAME_MS / 1000, plan.damage):
                await pace.until(departure.at_s)
                for track, frames in tracks.items():
                    if departure.frame < len(frames):
                        await caller.media(track, departure.frame, frames[departure.frame])
            await pace.until(longest * FRAME_MS / 1000)
            await caller.stop()
    except ConnectionClosed as cause:
        raise CallFailed(f"{base_url} closed the twilio stream: {cause}") from cause
    except (OSError, WebSocketException) as cause:
        raise CallFailed(f"{base_url} does not take a twilio stream: {cause}") from cause


def _mulaw_frames(pcm: Float32s) -> list[bytes]:
    """[T] at 16 kHz -> frames of 160 bytes, the last one filled with silence."""
    payload = encode_mulaw(at_rate(pcm, RATE_HZ))
    payload += SILENCE * (-len(payload) % FRAME_BYTES)
    return [payload[at : at + FRAME_BYTES] for at in range(0, len(payload), FRAME_BYTES)]
