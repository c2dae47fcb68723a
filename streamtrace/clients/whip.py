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

from streamtrace.audio.g711 import decode_alaw, decode_mulaw, encode_alaw, encode_mulaw
from streamtrace.audio.pcm16 import encode_pcm16
from streamtrace.clients.endpoints import endpoint, http_client, is_local
from streamtrace.clients.lossy_sender import damage_sender, repeat_frames
from streamtrace.clients.pace import Pace
from streamtrace.clients.plan import CallPlan
from streamtrace.clients.rate import at_rate
from streamtrace.errors import CallFailed
from streamtrace.ice_hosts import LOOPBACK_HOSTS, offer_hosts
from streamtrace.values import SAMPLE_RATE_HZ, Float32s

FRAMES_PER_S = 50
LAWS = {"pcmu": (encode_mulaw, decode_mulaw), "pcma": (encode_alaw, decode_alaw)}
CONNECT_S = 10.0
CREATED = 201
TAIL_S = 0.3  # silence behind the end, so that no buffer on the way keeps the last words


class PacedTrack(MediaStreamTrack):
    """Plays [T] at its codec's rate once, then ends; `played` is set then."""

    kind = "audio"

    def __init__(self, pcm: Float32s, codec: str, pace: Pace) -> None:
        super().__init__()
        self._rate_hz = 8_000 if codec in LAWS else SAMPLE_RATE_HZ
        self._frame_samples = self._rate_hz // FRAMES_PER_S
        pcm = at_rate(pcm, self._rate_hz)
        if codec in LAWS:
            # FFmpeg is given G.711's own levels, so that it sends what any caller here would send.
            encode, decode = LAWS[codec]
            pcm = decode(encode(pcm))
        tail = round(TAIL_S * self._rate_hz) + -len(pcm) % self._frame_samples
        whole = np.frombuffer(
            encode_pcm16(np.concatenate([pcm, np.zeros(tail, np.float32)])), "<i2"
        )
        # Both channels carry the voice: Opus is stereo here, and FFmpeg would play mono 3 dB down.
        channels = 2 if codec == "opus" else 1
        self._layout = "stereo" if channels == 2 else "mono"
        self._frames = np.repeat(whole, channels).reshape(-1, 1, channels * self._frame_samples)
        self._next = 0
        self._pace = pace
        self.played = asyncio.Event()

    async def recv(self) -> AudioFrame:
        """The next 20 ms, when they are due."""
        if self._next >= len(self._frames):
            self.played.set()
            raise MediaStreamError
        position = self._next * self._frame_samples
        await self._pace.until(position / self._rate_hz)
        frame = AudioFrame.from_ndarray(self._frames[self._next], format="s16", layout=self._layout)
        frame.sample_rate = self._rate_hz
        frame.pts = position
        frame.time_base = Fraction(1, self._rate_hz)
        self._next += 1
        return frame


async def call_whip(plan: CallPlan) -> None:
    """Play the call to `/whip/{line}` and hang up."""
    base_url = plan.base_url
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    track = PacedTrack(plan.pcm, plan.codec, plan.pace)
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
