"""One WebRTC caller: answers its offer and turns its packets into audio with exact positions.

The media clock is the RTP timestamp. Wall time decides when a silent caller is given up, and how
long a packet that was overtaken is waited for.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from aiortc import (
    RTCConfiguration,
    RTCIceServer,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCSessionDescription,
)
from aiortc.exceptions import InvalidStateError, OperationError

from streamtrace.audio.pending import Timed
from streamtrace.audio.rtp import MOST_SOURCES, RtpPacket
from streamtrace.audio.rtp_audio import COMFORT_NOISE, RTP_CODECS
from streamtrace.audio.rtp_leg import RtpLeg
from streamtrace.ice_hosts import offer_hosts
from streamtrace.ports import Clock, LegOpened, SourceEnded, SourceItem
from streamtrace.sources.offer import (
    MOST_CANDIDATES,
    Offer,
    OfferMalformed,
    OfferUnsupported,
    Trickle,
    answer_with_comfort_noise,
    usable_candidates,
)
from streamtrace.sources.ring import AudioRing
from streamtrace.sources.rtp_tap import tap
from streamtrace.values import EndReason, Leg

FLUSH_S = 0.2  # how long packets may be on their way when the goodbye has come already


@dataclass(frozen=True, slots=True)
class WebRtcSettings:
    """How callers are reached, and how long a silent one is waited for."""

    hosts: tuple[str, ...] | None = None  # addresses to offer; None: those of the machine
    loopback_only: bool = False  # drop the caller's candidates elsewhere
    ice_servers: tuple[str, ...] = ()
    ice_username: str | None = None  # at the TURN servers
    ice_credential: str | None = field(default=None, repr=False)
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
        types = {*offer.payload_types, *([COMFORT_NOISE] if offer.comfort_noise else [])}
        self._leg = RtpLeg(RTP_CODECS[offer.codec], frozenset(types), offer.source)
        self._sources: set[int] = set()
        self._seen_candidates = offer.sdp.count("a=candidate:")
        self._ending: EndReason | None = None
        self._waiting_for = EndReason.START_TIMEOUT
        self._give_up_at_s = clock.now() + settings.connect_s
        self._hurry = asyncio.Event()  # that moment has come nearer
        self._releasing: asyncio.TimerHandle | None = None
        self._watch: asyncio.Task[None] | None = None
        self._peer = RTCPeerConnection(
            RTCConfiguration(
                iceServers=[
                    RTCIceServer(url, settings.ice_username, settings.ice_credential)
                    for url in settings.ice_servers
                ]
            )
        )

    async def answer(self) -> str:
        """The SDP answer, with every candidate there will be; the wait for the caller begins."""
        transceiver = self._peer.addTransceiver("audio", direction="recvonly")
        tap(
            transceiver.receiver,
            self._take,
            self._gone,
            comfort_noise=COMFORT_NOISE if self.offer.comfort_noise else None,
        )
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
        self._wait(self._settings.connect_s)
        self._watch = asyncio.create_task(self._wait_for_end())
        answer = self._peer.localDescription.sdp
        return answer_with_comfort_noise(answer) if self.offer.comfort_noise else answer

    async def add_candidates(self, trickle: Trickle) -> None:
        """Give ICE what came later; what is unusable or too many is dropped in silence."""
        usable = usable_candidates(
            list(trickle.candidates), loopback_only=self._settings.loopback_only
        )
        for candidate in usable[: max(0, MOST_CANDIDATES - self._seen_candidates)]:
            candidate.sdpMLineIndex = 0  # there is but one
            self._seen_candidates += 1
            await self._peer.addIceCandidate(candidate)

    def hang_up(self) -> None:
        """The caller said goodbye: what has been received still counts."""
        if self._ending is EndReason.SOURCE_LOST:  # its media closed just ahead of its goodbye
            self._ending = EndReason.HUNG_UP
        self._end_soon(EndReason.HUNG_UP, FLUSH_S)

    async def __aiter__(self) -> AsyncIterator[SourceItem]:
        yield LegOpened(Leg.CALLER, self.offer.codec, self.offer.rate_hz)
        async for audio in self._ring:
            yield audio
        yield SourceEnded(self._ending or EndReason.SOURCE_LOST)

    async def close(self) -> None:
        """Give up peer and task; safe to repeat."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait([self._watch])
        await self._peer.close()
        self._ring.close()

    async def _wait_for_end(self) -> None:
        """Until nothing comes any more, or nothing is worth waiting for."""
        try:
            while (left_s := self._give_up_at_s - self._clock.now()) > 0:
                self._hurry.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(left_s):
                        await self._hurry.wait()
            self._ending = self._ending or self._waiting_for
        finally:
            if self._releasing is not None:
                self._releasing.cancel()
            self._hand_on(self._leg.flush(self._clock.now()))
            self._ring.close()

    def _take(self, packet: RtpPacket) -> None:
        """A packet has come."""
        now_s = self._clock.now()
        self._sources.add(packet.source)
        if len(self._sources) > MOST_SOURCES:  # each costs aiortc and SRTP memory
            self._end_soon(EndReason.PROTOCOL_ERROR, 0.0)
            return
        came = self._leg.feed(packet, now_s)
        if came is None:
            return
        if self._ending is None:
            self._give_up_at_s = now_s + self._settings.idle_s
            if self._waiting_for is EndReason.START_TIMEOUT:
                self._waiting_for = EndReason.IDLE_TIMEOUT
                self._hurry.set()
        self._hand_on(came)
        if self._leg.due_at_s is not None and self._releasing is None:
            self._release_later(self._leg.due_at_s - now_s)

    def _release_later(self, delay_s: float) -> None:
        loop = asyncio.get_running_loop()
        self._releasing = loop.call_later(max(0.001, delay_s), self._release)

    def _release(self) -> None:
        """A packet has waited long enough, even if no other one comes."""
        now_s = self._clock.now()
        self._releasing = None
        self._hand_on(self._leg.release(now_s))
        if self._leg.due_at_s is not None:
            self._release_later(self._leg.due_at_s - now_s)

    def _hand_on(self, chunks: Iterable[Timed]) -> None:
        for chunk, received_at_s in chunks:
            self._ring.put(chunk, received_at_s)

    def _connection_changed(self) -> None:
        if self._peer.connectionState == "connected" and self._ending is None:
            if self._waiting_for is EndReason.START_TIMEOUT:
                self._wait(self._settings.start_s)
        elif self._peer.connectionState in ("failed", "closed"):
            self._gone()

    def _gone(self) -> None:
        """The far side has left, or said that this source falls silent for good."""
        self._end_soon(EndReason.SOURCE_LOST, FLUSH_S)

    def _end_soon(self, reason: EndReason, within_s: float) -> None:
        if self._ending is None:
            self._ending = reason
            self._wait(within_s)

    def _wait(self, seconds: float) -> None:
        self._give_up_at_s = self._clock.now() + seconds
        self._hurry.set()
