"""The codecs that media comes in: how long a payload is, and how payloads are heard."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from streamtrace.audio.g711 import decode_alaw, decode_mulaw
from streamtrace.audio.g722 import G722Decoder
from streamtrace.audio.libopus import PyAvOpus
from streamtrace.audio.opus import ticks_in
from streamtrace.audio.pcm16 import decode_pcm16
from streamtrace.values import G722, L16, OPUS, PCMA, PCMU, Float32s

# Hears payloads that follow one another, [T]; it may remember what came before them.
Decoder: TypeAlias = Callable[[Sequence[bytes]], Float32s]


@dataclass(frozen=True, slots=True)
class Codec:
    """One way to carry sound; `decoder` makes a fresh one for each stretch without a gap."""

    samples_in: Callable[[bytes], int]  # of one payload, at the rate on the line
    decoder: Callable[[], Decoder]
    sample_bytes: int | None = None  # where each sample stands for itself


def _memoryless(decode: Callable[[bytes], Float32s], sample_bytes: int) -> Codec:
    """Each sample stands for itself, so payloads can be joined and heard at once."""

    def hear(payloads: Sequence[bytes]) -> Float32s:
        return decode(payloads[0] if len(payloads) == 1 else b"".join(payloads))

    if sample_bytes == 1:
        return Codec(len, lambda: hear, 1)
    return Codec(lambda payload: len(payload) // sample_bytes, lambda: hear, sample_bytes)


CODECS: Mapping[str, Codec] = {
    PCMU: _memoryless(decode_mulaw, 1),
    PCMA: _memoryless(decode_alaw, 1),
    L16: _memoryless(decode_pcm16, 2),
    G722: Codec(lambda payload: 2 * len(payload), G722Decoder),
    # At its own clock's rate; where packets are lost, a WebSocket loses all that follow.
    OPUS: Codec(ticks_in, lambda: PyAvOpus().hear),
}
