"""RTP as a caller sends it, and what a leg makes of it, in virtual time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np

from streamtrace.audio.rtp import RtpPacket
from streamtrace.audio.rtp_audio import RTP_CODECS
from streamtrace.audio.rtp_leg import RtpLeg
from streamtrace.values import AudioChunk, Float32s

PAYLOAD_TYPES = {"opus": 111, "PCMU": 0, "PCMA": 8, "G722": 9}
SOURCE = 0x1234_5678
Arrival = tuple[float, RtpPacket]


def packets(
    codec: str,
    payloads: Sequence[bytes],
    *,
    number: int = 65_530,
    stamp: int = 0xFFFF_FF00,
    source: int = SOURCE,
) -> list[RtpPacket]:
    """Payloads that follow one another; by default both counters wrap on the way."""
    sent: list[RtpPacket] = []
    for payload in payloads:
        sent.append(
            RtpPacket(PAYLOAD_TYPES[codec], number & 0xFFFF, stamp & 0xFFFF_FFFF, source, payload)
        )
        number += 1
        stamp += RTP_CODECS[codec].ticks_in(payload)
    return sent


def on_time(
    sent: Iterable[RtpPacket], *, every_s: float = 0.02, from_s: float = 100.0
) -> list[Arrival]:
    """One packet after the other, each when it is due."""
    return [(from_s + number * every_s, packet) for number, packet in enumerate(sent)]


def leg(codec: str, *, source: int | None = None) -> RtpLeg:
    """A leg that takes the codec, and comfort noise."""
    return RtpLeg(RTP_CODECS[codec], frozenset({PAYLOAD_TYPES[codec], 13}), source)


def heard(codec: str, arrivals: Iterable[Arrival]) -> list[AudioChunk]:
    """All chunks, with a timer that releases whatever is due between two packets."""
    listening, at_s = leg(codec), 0.0
    chunks: list[AudioChunk] = []
    for at_s, packet in arrivals:
        while listening.due_at_s is not None and listening.due_at_s < at_s:
            chunks += [chunk for chunk, _ in listening.release(listening.due_at_s)]
        chunks += [chunk for chunk, _ in listening.feed(packet, at_s) or ()]
    return [*chunks, *(chunk for chunk, _ in listening.flush(at_s))]


def gaps(chunks: Sequence[AudioChunk]) -> list[tuple[int, int]]:
    """From where to where audio is missing."""
    return [
        (before.end_sample, after.start_sample)
        for before, after in pairwise(chunks)
        if after.start_sample != before.end_sample
    ]


def joined(chunks: Sequence[AudioChunk]) -> Float32s:
    """[T] without the gaps."""
    return np.concatenate([chunk.pcm for chunk in chunks])
