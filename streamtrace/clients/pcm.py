"""Places a call as bare PCM16 over a WebSocket, in the words of one platform or none."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class PcmWords:
    """What a sender of PCM says beside the audio."""

    name: str
    rate_hz: int | None = None  # where the URL says it
    channels: int | None = None
    subprotocol: str | None = None
    preamble: str | None = None
    goodbye: str | None = None  # None: it just closes


async def call_pcm(plan: CallPlan) -> None:
    """With a callee the stream is stereo, one party a channel."""

    def plain(rate_hz: int, channels: int) -> PcmWords:
        return PcmWords(
            "pcm",
            rate_hz,
            channels,
            preamble=json.dumps({"callSid": plan.external_id}),
            goodbye=json.dumps({"event": "stop"}),
        )

    await send_pcm(plan, plain)


async def send_pcm(plan: CallPlan, words_for: Callable[[int, int], PcmWords]) -> None:
    """Play the call; `words_for` is told its rate and its channels.

    The stream carries no positions, so a frame can only come late: it can be neither lost nor
    overtaken.
    """
    base_url, pace, rate_hz = plan.base_url, plan.pace, RATES_HZ[plan.codec]
    parties = [plan.pcm] if plan.callee is None else [plan.pcm, plan.callee]
    words = words_for(rate_hz, len(parties))
    samples = interleaved(parties, rate_hz)
    frame_samples = round(rate_hz * FRAME_S)
    frames = -(-len(samples) // frame_samples)
    late = LineDamage(jitter_ms=plan.damage.jitter_ms, seed=plan.damage.seed)
    held_until = 0.0
    try:
        async with open_websocket(
            base_url,
            "/v1/ingest/pcm",
            subprotocol=words.subprotocol,
            rate=words.rate_hz,
            channels=words.channels,
        ) as websocket:
            if words.preamble is not None:
                await websocket.send(words.preamble)
            for departure in sorted(departures(frames, FRAME_S, late), key=lambda d: d.frame):
                held_until = max(held_until, departure.at_s)  # a stream keeps its order
                await pace.until(held_until)
                at = departure.frame * frame_samples
                await websocket.send(encode_pcm16(samples[at : at + frame_samples].ravel()))
            await pace.until(frames * FRAME_S)
            if words.goodbye is not None:
                await websocket.send(words.goodbye)
    except ConnectionClosed as cause:
        raise CallFailed(f"{base_url} closed the {words.name} stream: {cause}") from cause
    except (OSError, WebSocketException) as cause:
        raise CallFailed(f"{base_url} does not take a {words.name} stream: {cause}") from cause
