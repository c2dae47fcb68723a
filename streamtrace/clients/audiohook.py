"""Places a call as Genesys AudioHook does: a session by messages, its audio in 200 ms frames.

AUDIOHOOK_API_KEY in the environment goes along as X-API-KEY; with AUDIOHOOK_CLIENT_SECRET beside
it, in base64, the request is signed too.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import time
import uuid
from base64 import b64decode
from urllib.parse import urlsplit

from websockets.exceptions import ConnectionClosed, WebSocketException

from streamtrace.audio.g711 import encode_mulaw
from streamtrace.audio.pcm16 import encode_pcm16
from streamtrace.clients.audiohook_session import AudioHookCaller
from streamtrace.clients.damage import departures
from streamtrace.clients.endpoints import endpoint, open_websocket
from streamtrace.clients.plan import CallPlan
from streamtrace.clients.rate import interleaved
from streamtrace.errors import CallFailed
from streamtrace.protocols.audiohook_messages import RATE_HZ
from streamtrace.protocols.http_signature import ALGORITHM, SignedRequest, sign
from streamtrace.values import L16, PCMU, Float32s

PATH = "/v1/ingest/audiohook"
FRAME_SAMPLES = RATE_HZ // 5
FRAME_S = FRAME_SAMPLES / RATE_HZ
FORMATS = {"pcmu": PCMU, "l16-8k": L16}
ENCODERS = {"pcmu": encode_mulaw, "l16-8k": encode_pcm16}
PING_FRAMES, FIRST_PING_FRAME = 25, 5  # every five seconds, the first after one
VALID_S = 10


async def call_audiohook(plan: CallPlan) -> None:
    """The caller is the external channel, the callee the internal one.

    A lost frame is one that the platform has had to discard, and it says so. None overtakes
    another on a stream: a frame that is held back is late, and so is what comes behind it.
    """
    base_url = plan.base_url
    session_id, organization_id = str(uuid.uuid4()), str(uuid.uuid4())
    headers = request_headers(
        endpoint(base_url, PATH, line=plan.line), session_id, organization_id, now_s=time.time()
    )
    parties = [plan.pcm] if plan.callee is None else [plan.pcm, plan.callee]
    channels = ["external", "internal"][: len(parties)]
    try:
        async with open_websocket(base_url, PATH, line=plan.line, headers=headers) as websocket:
            caller = AudioHookCaller(websocket, session_id)
            hearing = asyncio.create_task(caller.hear())
            try:
                await caller.open(organization_id, plan.external_id, FORMATS[plan.codec], channels)
                await _speak(caller, plan, interleaved_frames(plan.codec, parties))
                await caller.close("end")
            except CallFailed as failure:
                await caller.part()
                raise CallFailed(f"{base_url}: {failure}") from None
            finally:
                hearing.cancel()
                await asyncio.wait([hearing])
    except ConnectionClosed as cause:
        raise CallFailed(f"{base_url} closed the audiohook session: {cause}") from cause
    except (OSError, WebSocketException) as cause:
        raise CallFailed(f"{base_url} does not take an audiohook session: {cause}") from cause


async def _speak(caller: AudioHookCaller, plan: CallPlan, frames: list[bytes]) -> None:
    held_until_s, due = 0.0, 0
    schedule = departures(len(frames), FRAME_S, plan.damage)
    for departure in sorted(schedule, key=lambda one: one.frame):
        held_until_s = max(held_until_s, departure.at_s)  # a stream keeps its order
        await plan.pace.until(held_until_s)
        if departure.frame > due:
            await caller.discard((departure.frame - due) * FRAME_SAMPLES)
        await caller.audio(frames[departure.frame])
        due = departure.frame + 1
        if due % PING_FRAMES == FIRST_PING_FRAME:
            await caller.ping()
    await plan.pace.until(len(frames) * FRAME_S)


def interleaved_frames(codec: str, parties: list[Float32s]) -> list[bytes]:
    """Parties [T] at 16 kHz -> frames of 200 ms, the last one shorter."""
    samples = interleaved(parties, RATE_HZ)  # [T, parties]
    return [
        ENCODERS[codec](samples[at : at + FRAME_SAMPLES].ravel())
        for at in range(0, len(samples), FRAME_SAMPLES)
    ]


def request_headers(
    url: str, session_id: str, organization_id: str, *, now_s: float
) -> dict[str, str]:
    """Who calls, and the proof of it where the environment has what it takes."""
    headers = {
        "audiohook-organization-id": organization_id,
        "audiohook-session-id": session_id,
        "audiohook-correlation-id": str(uuid.uuid4()),
    }
    key, secret = os.environ.get("AUDIOHOOK_API_KEY"), os.environ.get("AUDIOHOOK_CLIENT_SECRET")
    if not key:
        return headers
    headers["x-api-key"] = key
    if not secret:
        return headers
    try:
        shared = b64decode(secret, validate=True)
    except ValueError:
        raise CallFailed("AUDIOHOOK_CLIENT_SECRET is not base64") from None
    parts = urlsplit(url)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    created = int(now_s)
    parameters = {
        "keyid": key,
        "nonce": secrets.token_urlsafe(24),
        "alg": ALGORITHM,
        "created": created,
        "expires": created + VALID_S,
    }
    signed = SignedRequest(target, parts.netloc, headers)
    return headers | sign(signed, ("@request-target", "@authority", *headers), parameters, shared)
