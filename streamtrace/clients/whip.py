"""Places a call over WebRTC: offers one audio track by WHIP and plays it paced."""

from __future__ import annotations

import asyncio
from fractions import Fraction
from urllib.parse import urljoin

import httpx
import numpy as np
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.exceptions import InvalidStateError
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame

from streamtrace.clients.endpoints import endpoint, http_client, is_local
from streamtrace.clients.lossy_sender import damage_sender, repeat_frames
from streamtrace.clients.pace import Pace
from streamtrace.clients.plan import CallPlan
from streamtrace.errors import CallFailed
from streamtrace.ice_hosts import LOOPBACK_HOSTS, offer_hosts
from streamtrace.values import SAMPLE_RATE_HZ, Float32s

FRAME_SAMPLES = SAMPLE_RATE_HZ // 50
CONNECT_S = 10.0
CREATED = 201
TAIL_S = 0.3  # silence behind the end, so that no buffer on the way keeps the last words


class PacedTrack(MediaStreamTrack):
    """Plays [T] at 16 kHz once, then ends; `played` is set then."""

    kind = "audio"

    def __init__(self, pcm: Float32s, pace: Pace) -> None:
        super().__init__()
        tail = np.zeros(round(TAIL_S * SAMPLE_RATE_HZ) + -len(pcm) % FRAME_SAMPLES, np.float32)
        scaled = np.clip(np.concatenate([pcm, tail]), -1, 1) * 32_767
        # Both channels carry the voice: Opus is stereo here, and FFmpeg would play mono 3 dB down.
        stereo = np.repeat(scaled.astype(np.int16), 2)
        self._frames = stereo.reshape(-1, 1, 2 * FRAME_SAMPLES)
        self._next = 0
        self._pace = pace
        self.played = asyncio.Event()

    async def recv(self) -> AudioFrame:
        """The next 20 ms, when they are due."""
        if self._next >= len(self._frames):
            self.played.set()
            raise MediaStreamError
        position = self._next * FRAME_SAMPLES
        await self._pace.until(position / SAMPLE_RATE_HZ)
        frame = AudioFrame.from_ndarray(self._frames[self._next], format="s16", layout="stereo")
        frame.sample_rate = SAMPLE_RATE_HZ
        frame.pts = position
        frame.time_base = Fraction(1, SAMPLE_RATE_HZ)
        self._next += 1
        return frame


async def call_whip(plan: CallPlan) -> None:
    """Play the call to `/whip/{line}` and hang up."""
    base_url = plan.base_url
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    track = PacedTrack(plan.pcm, plan.pace)
    ended = asyncio.Event()
    connected = asyncio.Event()

    def connection_changed() -> None:
        if peer.connectionState == "connected":
            connected.set()
        elif peer.connectionState in ("failed", "closed"):
            ended.set()

    peer.on("connectionstatechange", connection_changed)
    try:
        transceiver = peer.addTransceiver(track, direction="sendonly")
        transceiver.setCodecPreferences(
            [
                known
                for known in RTCRtpSender.getCapabilities("audio").codecs
                if known.name.lower() == plan.codec
            ]
        )
        if plan.damage.is_any:
            damage_sender(transceiver.sender, plan.damage)
        if plan.damage.loss_percent > 0 and plan.codec == "opus":
            repeat_frames(transceiver.sender, loss_percent=plan.damage.loss_percent)
        with offer_hosts(LOOPBACK_HOSTS if is_local(base_url) else None):
            await peer.setLocalDescription(await peer.createOffer())
        async with http_client(base_url) as http:
            session_url = await _exchange(http, peer, plan)
            try:
                await _first(
                    connected, ended, what=f"{base_url} gave no media path", most=CONNECT_S
                )
                await _first(track.played, ended, what=f"{base_url} ended the call")
            finally:
                await http.delete(session_url)
    except httpx.HTTPError as cause:
        raise CallFailed(f"{base_url} cannot be reached over WHIP: {cause!r}") from cause
    finally:
        await peer.close()


async def _exchange(http: httpx.AsyncClient, peer: RTCPeerConnection, plan: CallPlan) -> str:
    """POST the offer, apply the answer -> the session's URL."""
    base_url = plan.base_url
    whip_url = endpoint(base_url, f"/whip/{plan.line}", external_id=plan.external_id)
    answer = await http.post(
        whip_url,
        content=peer.localDescription.sdp,
        headers={"content-type": "application/sdp"},
    )
    if answer.status_code != CREATED:
        raise CallFailed(f"{base_url} refused the call: {answer.status_code} {answer.text[:200]}")
    try:
        await peer.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))
    except (ValueError, InvalidStateError) as cause:
        raise CallFailed(f"{base_url} answered with unusable SDP: {cause}") from cause
    return urljoin(whip_url, answer.headers["location"])


async def _first(
    wanted: asyncio.Event, ended: asyncio.Event, *, what: str, most: float | None = None
) -> None:
    """Wait for `wanted`; CallFailed if the connection ends, or `most` seconds pass, before it."""
    waits = [asyncio.create_task(event.wait()) for event in (wanted, ended)]
    try:
        await asyncio.wait(waits, timeout=most, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
    if not wanted.is_set():
        raise CallFailed(what)
