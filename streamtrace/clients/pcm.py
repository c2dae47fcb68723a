"""Places a call as bare PCM16 over a WebSocket, with an optional JSON preamble."""

from __future__ import annotations

import json

from websockets.exceptions import ConnectionClosed, WebSocketException

from streamtrace.audio.pcm16 import encode_pcm16
from streamtrace.clients.damage import LineDamage, departures
from streamtrace.clients.endpoints import open_websocket
from streamtrace.clients.plan import CallPlan
from streamtrace.clients.rate import interleaved
from streamtrace.errors import CallFailed
from streamtrace.values import SAMPLE_RATE_HZ

FRAME_S = 0.02
RATES_HZ = {"l16": SAMPLE_RATE_HZ, "l16-8k": 8_000, "l16-24k": 24_000, "l16-48k": 48_000}


async def call_pcm(plan: CallPlan) -> None:
    """With a callee the stream is stereo, one party a channel.

    The stream carries no positions, so a frame can only come late: it can be neither lost nor
    overtaken.
    """
    base_url, pace, rate_hz = plan.base_url, plan.pace, RATES_HZ[plan.codec]
    parties = [plan.pcm] if plan.callee is None else [plan.pcm, plan.callee]
    samples = interleaved(parties, rate_hz)
    frame_samples = round(rate_hz * FRAME_S)
    frames = -(-len(samples) // frame_samples)
    late = LineDamage(jitter_ms=plan.damage.jitter_ms, seed=plan.damage.seed)
    held_until = 0.0
    try:
        async with open_websocket(
            base_url, "/v1/ingest/pcm", rate=rate_hz, channels=len(parties)
        ) as websocket:
            await websocket.send(json.dumps({"callSid": plan.external_id}))
            for departure in sorted(departures(frames, FRAME_S, late), key=lambda d: d.frame):
                held_until = max(held_until, departure.at_s)  # a stream keeps its order
                await pace.until(held_until)
                at = departure.frame * frame_samples
                await websocket.send(encode_pcm16(samples[at : at + frame_samples].ravel()))
            await pace.until(frames * FRAME_S)
            await websocket.send(json.dumps({"event": "stop"}))
    except ConnectionClosed as cause:
        raise CallFailed(f"{base_url} closed the pcm stream: {cause}") from cause
    except (OSError, WebSocketException) as cause:
        raise CallFailed(f"{base_url} does not take a pcm stream: {cause}") from cause
