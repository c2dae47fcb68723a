"""Places a call as Asterisk's WebSocket channel does: MEDIA_START in JSON, then bare frames."""

from __future__ import annotations

import json
import secrets

from websockets.exceptions import ConnectionClosed, WebSocketException

from streamtrace.audio.g711 import encode_alaw, encode_mulaw
from streamtrace.audio.pcm16 import encode_pcm16
from streamtrace.clients.endpoints import open_websocket
from streamtrace.clients.in_order import FRAME_S, frames_of, send_in_order
from streamtrace.clients.plan import CallPlan
from streamtrace.errors import CallFailed

# By Asterisk's own names: the rate, and how a frame is encoded.
CODECS = {
    "ulaw": (8_000, encode_mulaw),
    "alaw": (8_000, encode_alaw),
    "slin": (8_000, encode_pcm16),
    "slin16": (16_000, encode_pcm16),
    "slin24": (24_000, encode_pcm16),
    "slin48": (48_000, encode_pcm16),
}


async def call_asterisk(plan: CallPlan) -> None:
    """Like `Dial(WebSocket/…/c(codec)f(json)v(line=…))`; the channel's id is the call's."""
    rate_hz, encode = CODECS[plan.codec]
    frames = frames_of(plan.pcm, rate_hz, encode)
    start: dict[str, object] = {
        "event": "MEDIA_START",
        "connection_id": "streamtrace",  # of a dialling Asterisk, the name of its configuration
        "channel": f"WebSocket/streamtrace/0x{secrets.token_hex(6)}",
        "channel_id": plan.external_id,
        "format": plan.codec,
        "optimal_frame_size": len(encode(plan.pcm[:1])) * round(rate_hz * FRAME_S),
        "ptime": round(1000 * FRAME_S),
        "channel_variables": {},
    }
    try:
        async with open_websocket(
            plan.base_url, "/v1/ingest/asterisk", subprotocol="media", line=plan.line
        ) as websocket:
            await websocket.send(json.dumps(start, separators=(",", ":")))
            await send_in_order(frames, plan, websocket.send)
    except ConnectionClosed as cause:
        raise CallFailed(f"{plan.base_url} closed the asterisk stream: {cause}") from cause
    except (OSError, WebSocketException) as cause:
        raise CallFailed(f"{plan.base_url} does not take an asterisk stream: {cause}") from cause
