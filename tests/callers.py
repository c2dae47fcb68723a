"""WebRTC callers for tests that need no server: an offer, the answer, a paced track."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription

from streamtrace.clients.damage import LineDamage
from streamtrace.clients.lossy_sender import damage_sender
from streamtrace.clients.pace import Pace
from streamtrace.clients.whip import PacedTrack
from streamtrace.ice_hosts import LOOPBACK_HOSTS, offer_hosts
from streamtrace.values import Float32s


class Caller:
    """One peer with one audio track; `offer`, then `accept` the answer."""

    def __init__(
        self, pcm: Float32s, codec: str, *, speed: float = 1.0, damage: LineDamage | None = None
    ) -> None:
        self.peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.track = PacedTrack(pcm, codec.lower(), Pace(speed))
        transceiver = self.peer.addTransceiver(self.track, direction="sendonly")
        transceiver.setCodecPreferences(
            [
                known
                for known in RTCRtpSender.getCapabilities("audio").codecs
                if known.name.lower() == codec.lower()
            ]
        )
        if damage is not None:
            damage_sender(transceiver.sender, damage)

    async def offer(self) -> str:
        with offer_hosts(LOOPBACK_HOSTS):
            await self.peer.setLocalDescription(await self.peer.createOffer())
        return self.peer.localDescription.sdp

    async def connected(self, *, within_s: float) -> None:
        """Wait for ICE and DTLS."""
        changed = asyncio.Event()
        self.peer.on("connectionstatechange", changed.set)
        async with asyncio.timeout(within_s):
            while self.peer.connectionState != "connected":
                changed.clear()
                await changed.wait()

    def silence(self) -> None:
        """Stay connected, but send nothing from now on."""
        for sender in self.peer.getSenders():
            sender.replaceTrack(None)

    async def accept(self, answer: str) -> None:
        await self.peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))


@asynccontextmanager
async def caller(
    pcm: Float32s, codec: str, *, speed: float = 1.0, damage: LineDamage | None = None
) -> AsyncIterator[Caller]:
    """A caller that is closed in the end; nothing of aiortc's may be left running."""
    before = asyncio.all_tasks()
    calling = Caller(pcm, codec, speed=speed, damage=damage)
    try:
        yield calling
    finally:
        await calling.peer.close()
        if left := asyncio.all_tasks() - before:
            await asyncio.wait(left, timeout=1)  # aiortc's own, on their way out
