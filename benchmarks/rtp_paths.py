"""One lossy stream of RTP through our path and through aiortc's own buffer, in virtual time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, cast

import numpy as np
from aiortc.codecs import get_decoder
from aiortc.jitterbuffer import JitterBuffer
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.rtp import RtpPacket as ParsedPacket

from streamtrace.audio.position import LegInput
from streamtrace.audio.rtp import RtpPacket
from streamtrace.audio.rtp_audio import RTP_CODECS, RtpAudio, ticks_by
from streamtrace.audio.rtp_order import Placed, RtpOrder
from streamtrace.values import SAMPLE_RATE_HZ, AudioChunk

PACKET_S = 0.02
PACKET_SAMPLES = round(PACKET_S * SAMPLE_RATE_HZ)
OFFERED = {"opus": ("audio/opus", 48_000, 2, 111), "PCMU": ("audio/PCMU", 8_000, 1, 0)}


@dataclass(frozen=True, slots=True, eq=False)
class Carried:
    """What came out of a path."""

    chunks: Sequence[AudioChunk]
    delays_s: Sequence[float]  # of each packet that was heard, from its arrival until its turn
    missing_ms: float
    heard_where_lost_ms: float  # audio at the places of packets that never came


# A packet's number and payload; when it came.
Arrivals = Sequence[tuple[int, bytes, float]]


def ours(codec: str, arrivals: Arrivals, count: int) -> Carried:
    """`RtpOrder` and `RtpAudio`, with a timer that is always right."""
    rtp = RTP_CODECS[codec]
    order, audio = RtpOrder(rtp.clock_hz, ticks_by(rtp)), RtpAudio(rtp)
    chunks: list[AudioChunk] = []
    delays_s: list[float] = []

    def hear(placed: Sequence[Placed], now_s: float) -> None:
        for one in placed:
            delays_s.append(now_s - one.at_s)
            chunks.extend(chunk for chunk, _ in audio.feed(one))

    now_s = 0.0
    for number, payload, now_s in arrivals:
        while order.due_at_s is not None and order.due_at_s < now_s:
            due_at_s = order.due_at_s
            hear(order.release(due_at_s), due_at_s)
        stamp = round(number * PACKET_S * rtp.clock_hz)
        payload_type = OFFERED[codec][3]
        hear(order.feed(RtpPacket(payload_type, number & 0xFFFF, stamp, 1, payload), now_s), now_s)
    hear(order.flush(), now_s)
    chunks += [chunk for chunk, _ in audio.flush(now_s)]
    return _carried(chunks, delays_s, arrivals, count)


def of_aiortc(codec: str, arrivals: Arrivals, count: int) -> Carried:
    """Its jitter buffer as its receiver makes it, and its decoder."""
    mime, clock_hz, channels, payload_type = OFFERED[codec]
    buffer = JitterBuffer(capacity=16, prefetch=4)
    decoder = get_decoder(RTCRtpCodecParameters(mime, clock_hz, channels, payload_type))
    leg = LegInput(clock_hz)
    came: dict[int, float] = {}
    chunks: list[AudioChunk] = []
    delays_s: list[float] = []
    for number, payload, now_s in arrivals:
        packet = ParsedPacket(payload_type, sequence_number=number & 0xFFFF, ssrc=1)
        packet.timestamp = round(number * PACKET_S * clock_hz)
        cast(Any, packet)._data = payload
        came[packet.timestamp] = now_s
        _, frame = buffer.add(packet)
        if frame is None:
            continue
        delays_s.append(now_s - came[frame.timestamp])
        for heard in decoder.decode(frame):
            samples = cast(Any, heard).to_ndarray().reshape(-1, channels)
            pcm = (samples.astype(np.float32) / 32_768).mean(axis=1, dtype=np.float32)
            chunks += leg.feed(frame.timestamp, pcm)
    return _carried([*chunks, *leg.flush()], delays_s, arrivals, count)


def _carried(
    chunks: Sequence[AudioChunk], delays_s: Sequence[float], arrivals: Arrivals, count: int
) -> Carried:
    lost = np.ones(count * PACKET_SAMPLES, np.bool_)
    for number, _, _ in arrivals:
        lost[number * PACKET_SAMPLES : (number + 1) * PACKET_SAMPLES] = False
    heard = np.zeros_like(lost)
    for chunk in chunks:
        heard[chunk.start_sample : chunk.end_sample] = True
    missing = sum(start for start, _ in _gaps(chunks))
    return Carried(
        chunks,
        delays_s,
        1000 * missing / SAMPLE_RATE_HZ,
        1000 * float((heard & lost).sum()) / SAMPLE_RATE_HZ,
    )


def _gaps(chunks: Sequence[AudioChunk]) -> Iterator[tuple[int, int]]:
    """How long each gap is, and where it begins."""
    for before, after in pairwise(chunks):
        if after.start_sample > before.end_sample:
            yield after.start_sample - before.end_sample, before.end_sample
