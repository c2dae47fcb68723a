"""One leg of RTP: packets in their places become chunks at 16 kHz, a step's worth at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from streamtrace.audio import opus
from streamtrace.audio.codecs import CODECS, Codec
from streamtrace.audio.libopus import opus_hearing
from streamtrace.audio.pending import Timed
from streamtrace.audio.position import LegInput
from streamtrace.audio.rtp import RtpPacket
from streamtrace.audio.rtp_order import Placed
from streamtrace.values import G722, PCMA, PCMU, Float32s

COMFORT_NOISE = 13  # the payload type (RFC 3389)
OPUS = "opus"

NO_GAP = 400  # stamps that are off by less than this part of a second leave none

_NOTHING: tuple[Timed, ...] = ()
_SILENCE: Float32s = np.zeros(0, np.float32)


class Hearing(Protocol):
    """A codec's decoder that lives as long as the leg."""

    rate_hz: int  # of what it hears

    def hear(self, packets: Sequence[bytes]) -> Float32s:
        """Packets that follow one another -> [T]."""
        ...

    def resume(self, lost_ticks: int, packet: bytes) -> Float32s:
        """Before `packet` so much was lost -> what the packet itself says of the end of that."""
        ...


@dataclass(frozen=True, slots=True)
class RtpCodec:
    """How a codec travels in RTP (RFC 3551, RFC 7587)."""

    clock_hz: int  # of the stamps, which may differ from the rate of the audio
    ticks_in: Callable[[bytes], int]  # of one payload; 0 for what is none
    hearing: Callable[[], Hearing]


class _PlainHearing:
    """A codec that cannot repair: behind a gap its decoder begins anew."""

    def __init__(self, codec: Codec, rate_hz: int) -> None:
        self.rate_hz = rate_hz
        self._codec = codec
        self._decode = codec.decoder()

    def hear(self, packets: Sequence[bytes]) -> Float32s:
        return self._decode(packets)

    def resume(self, lost_ticks: int, packet: bytes) -> Float32s:
        self._decode = self._codec.decoder()
        return _SILENCE


# Every codec of the table counts eight thousand bytes a second, and so do its stamps.
RTP_CODECS: Mapping[str, RtpCodec] = {
    OPUS: RtpCodec(opus.OPUS_CLOCK_HZ, opus.ticks_in, opus_hearing),
    PCMU: RtpCodec(8_000, len, lambda: _PlainHearing(CODECS[PCMU], 8_000)),
    PCMA: RtpCodec(8_000, len, lambda: _PlainHearing(CODECS[PCMA], 8_000)),
    G722: RtpCodec(8_000, len, lambda: _PlainHearing(CODECS[G722], 16_000)),
}


def ticks_by(codec: RtpCodec) -> Callable[[RtpPacket], int | None]:
    """What `RtpOrder` asks of a packet."""

    def ticks_in(packet: RtpPacket) -> int | None:
        return 0 if packet.payload_type == COMFORT_NOISE else codec.ticks_in(packet.payload) or None

    return ticks_in


class RtpAudio:
    """Late decoding must not matter: what comes out is what decoding at once would give.

    A packet that completes an encoder step is decoded at once, with all that waited for it, and so
    is the first behind a gap. What was lost is a jump of positions, but for what the packet behind
    it repeats; what was silent is silence. Nothing that a decoder invents comes out.
    """

    def __init__(self, codec: RtpCodec) -> None:
        self._hearing = codec.hearing()
        self._clock_hz = codec.clock_hz
        self._rate_hz = self._hearing.rate_hz
        self._ticks_in = codec.ticks_in
        self._input = LegInput(self._rate_hz)
        self._packets: list[bytes] = []
        self._start = 0  # of the first packet that waits, at the decoder's rate
        self._end = 0  # behind the last
        self._due = 0  # where a step is complete

    def feed(self, placed: Placed) -> Sequence[Timed]:
        """Take the next packet; chunks that are worth handing on, and when they had come."""
        before: Sequence[Timed] = _NOTHING
        if placed.lost or placed.silent:
            # What waited completes no step, and is not to look as late as the packet behind it.
            before = [*self._decoded(placed.at_s), *self._passed(placed)]
        if not placed.payload:
            return before
        self._packets.append(placed.payload)
        self._end += self._samples(self._ticks_in(placed.payload))
        if self._end < self._due:
            return before
        decoded = self._decoded(placed.at_s)
        return [*before, *decoded] if before else decoded

    def flush(self, now_s: float) -> list[Timed]:
        """All that was fed: nothing follows."""
        waited = self._decoded(now_s)
        return [*waited, *((chunk, now_s) for chunk in self._input.flush())]

    def _passed(self, placed: Placed) -> list[Timed]:
        """Go on to where the packet belongs, over what was lost and what was silent."""
        begin, end = self._end, max(self._end, self._samples(placed.start))
        sound = _SILENCE
        if placed.lost:  # a packet behind silence says nothing of what was before that
            sound = self._hearing.resume(placed.lost, b"" if placed.silent else placed.payload)
        if placed.silent:
            begin = min(end, begin + self._samples(placed.lost))
            sound = np.zeros(end - begin, np.float32)
        elif 0 < len(sound) < end - begin - self._rate_hz // NO_GAP:
            begin = end - len(sound)
        elif len(sound):
            end = begin + len(sound)
        self._start = self._end = end
        self._due = end  # the news of a loss does not wait
        return [(chunk, placed.at_s) for chunk in self._input.feed(begin, sound)]

    def _decoded(self, now_s: float) -> Sequence[Timed]:
        if not self._packets:
            return _NOTHING
        chunks = self._input.feed(self._start, self._hearing.hear(self._packets))
        self._packets.clear()
        self._start = self._end
        self._due = self._input.news_at() or 0
        return [(chunk, now_s) for chunk in chunks]

    def _samples(self, ticks: int) -> int:
        """Rounded half up."""
        return (2 * ticks * self._rate_hz + self._clock_hz) // (2 * self._clock_hz)
