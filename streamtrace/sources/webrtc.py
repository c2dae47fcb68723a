"""One WebRTC caller: answers its offer and turns its track into audio with exact positions.

The media clock is the RTP timestamp, which aiortc hands on as `frame.pts`; wall time only decides
when a silent caller is given up. A jump of `pts` is lost audio and stays a jump.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import cast

import numpy as np
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCIceServer,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCSessionDescription,
)
from aiortc.exceptions import InvalidStateError, OperationError
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame

from streamtrace.audio.position import LegInput
from streamtrace.ice_hosts import offer_hosts
from streamtrace.ports import Clock, LegOpened, SourceEnded, SourceItem
from streamtrace.sources.offer import (
    MOST_CANDIDATES,
    Offer,
    OfferMalformed,
    OfferUnsupported,
    Trickle,
    usable_candidates,
)
from streamtrace.sources.ring import AudioRing
from streamtrace.values import EndReason, Float32s, Leg

FLUSH_S = 0.2  # how long frames already received may still come out of the decoder


@dataclass(frozen=True, slots=True)
class WebRtcSettings:
    """How callers are reached, and how long a silent one is waited for."""

    hosts: tuple[str, ...] | None = None  # addresses to offer; None: those of the machine
    loopback_only: bool = False  # drop the caller's candidates elsewhere
    ice_servers: tuple[str, ...] = ()
    connect_s: float = 10.0  # from the answer through ICE and DTLS
    start_s: float = 5.0  # from there to the first frame
    idle_s: float = 15.0  # losing consent takes ICE 30 s


class WebRtcSource:
    """An `AudioSource`: answer the offer, iterate to the end, and always `close`."""

    def __init__(
        self, offer: Offer, settings: WebRtcSettings, clock: Clock, ring: AudioRing
    ) -> None:
        self.offer = offer
        self._settings = settings
        self._clock = clock
        self._ring = ring
        self._input = LegInput(offer.rate_hz)
        self._seen_candidates = 0
        self._ending: EndReason | None = None
        self._patience: asyncio.Timeout | None = None
        self._drain: asyncio.Task[None] | None = None
        self._peer = RTCPeerConnection(
            RTCConfiguration(iceServers=[RTCIceServer(urls=url) for url in settings.ice_servers])
        )

    async def answer(self) -> str:
        """The SDP answer, with every candidate there will be; reading the track begins."""
        transceiver = self._peer.addTransceiver("audio", direction="recvonly")
        transceiver.setCodecPreferences(
            [
                codec
                for codec in RTCRtpReceiver.getCapabilities("audio").codecs  # pyright: ignore
                if codec.name.lower() == self.offer.codec.lower()
            ]
        )
        self._peer.on("connectionstatechange", self._connection_changed)
        try:
            await self._peer.setRemoteDescription(RTCSessionDescription(self.offer.sdp, "offer"))
        except OperationError as cause:
            raise OfferUnsupported(f"no common codec for this offer: {cause}") from cause
        except (ValueError, InvalidStateError) as cause:
            raise OfferMalformed(f"the offer cannot be applied: {cause}") from cause
        with offer_hosts(self._settings.hosts):
            await self._peer.setLocalDescription(await self._peer.createAnswer())
        self._drain = asyncio.create_task(self._drain_track(transceiver.receiver.track))
        return self._peer.localDescription.sdp

    async def add_candidates(self, trickle: Trickle) -> None:
        """Give ICE what came later; what is unusable or too many is dropped in silence."""
        usable = usable_candidates(
            list(trickle.candidates), loopback_only=self._settings.loopback_only
        )
        for candidate in usable[: MOST_CANDIDATES - self._seen_candidates]:
            candidate.sdpMLineIndex = 0  # there is but one
            self._seen_candidates += 1
            await self._peer.addIceCandidate(candidate)

    def hang_up(self) -> None:
        """The caller said goodbye: what has been received still counts."""
        self._end_soon(EndReason.HUNG_UP)

    async def __aiter__(self) -> AsyncIterator[SourceItem]:
        yield LegOpened(Leg.CALLER, self.offer.codec, self.offer.rate_hz)
        async for audio in self._ring:
            yield audio
        yield SourceEnded(self._ending or EndReason.SOURCE_LOST)

    async def close(self) -> None:
        """Give up peer, task and decoder thread; safe to repeat."""
        if self._drain is not None:
            self._drain.cancel()
            await asyncio.wait([self._drain])
        await self._peer.close()
        self._ring.close()

    async def _drain_track(self, track: MediaStreamTrack) -> None:
        """Always read: aiortc's queue behind a track is unbounded, our ring is not."""
        waiting_for = EndReason.START_TIMEOUT
        try:
            async with asyncio.timeout(self._settings.connect_s) as self._patience:
                if self._ending is not None:
                    self._wait(FLUSH_S)  # it ended before this task began
                while True:
                    frame = cast(AudioFrame, await track.recv())  # pyright: ignore[reportUnknownMemberType]
                    if self._ending is None:
                        self._wait(self._settings.idle_s)
                    waiting_for = EndReason.IDLE_TIMEOUT
                    self._take(frame)
        except TimeoutError:
            self._ending = self._ending or waiting_for
        except MediaStreamError:
            self._ending = self._ending or EndReason.SOURCE_LOST
        finally:
            self._patience = None
            for chunk in self._input.flush():
                self._ring.put(chunk, self._clock.now())
            self._ring.close()

    def _take(self, frame: AudioFrame) -> None:
        if frame.pts is None or frame.time_base is None:
            return  # no position, no use
        start = round(frame.pts * frame.time_base * self.offer.rate_hz)
        for chunk in self._input.feed(start, _mono(frame)):
            self._ring.put(chunk, self._clock.now())

    def _connection_changed(self) -> None:
        if self._peer.connectionState == "connected" and self._ending is None:
            self._wait(self._settings.start_s)
        elif self._peer.connectionState in ("failed", "closed"):
            self._end_soon(EndReason.SOURCE_LOST)

    def _end_soon(self, reason: EndReason) -> None:
        if self._ending is None:
            self._ending = reason
            self._wait(FLUSH_S)

    def _wait(self, seconds: float) -> None:
        if self._patience is not None and not self._patience.expired():  # that may not be moved
            self._patience.reschedule(asyncio.get_running_loop().time() + seconds)


def _mono(frame: AudioFrame) -> Float32s:
    """Packed 16-bit samples of any channel count -> [T] in [-1, 1]."""
    samples = frame.to_ndarray().reshape(-1, len(frame.layout.channels))
    return (samples.astype(np.float32) / 32_768).mean(axis=1, dtype=np.float32)
