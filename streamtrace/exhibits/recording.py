"""The last minute of a leg in memory, where clips are kept, and what is cut out of it."""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from streamtrace.audio.g711 import decode_mulaw, encode_mulaw
from streamtrace.audio.pcm16 import encode_pcm16
from streamtrace.events.alerts import SpokenFor
from streamtrace.values import CONTEXT_SAMPLES, SAMPLE_RATE_HZ, STEP_MS, Float32s, Step

MOST_MS = 60_000
MOST_STEPS = MOST_MS // STEP_MS
NARROW_HZ = 8_000
SILENCE = b"\xff"  # in mu-law

_HEAD = struct.Struct("<II")  # of a packed clip: where it starts, and its rate


@dataclass(frozen=True, slots=True)
class Clip:
    """Sound of the stretches that spoke for an alert, at their times; silence between them."""

    start_ms: int
    rate_hz: int
    mulaw: bytes

    @property
    def end_ms(self) -> int:
        """Behind its last sample."""
        return self.start_ms + len(self.mulaw) * 1000 // self.rate_hz

    def packed(self) -> bytes:
        """As it is sealed."""
        return _HEAD.pack(self.start_ms, self.rate_hz) + self.mulaw

    @classmethod
    def unpacked(cls, packed: bytes) -> Clip:
        """As it was sealed."""
        start_ms, rate_hz = _HEAD.unpack_from(packed)
        return cls(start_ms, rate_hz, packed[_HEAD.size :])

    def wav(self) -> bytes:
        """As every browser plays it: 16 bits, mono."""
        sound = encode_pcm16(decode_mulaw(self.mulaw))
        rate, size = self.rate_hz, len(sound)
        form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16)
        return (
            struct.pack("<4sI4s", b"RIFF", 36 + size, b"WAVE")
            + form
            + struct.pack("<4sI", b"data", size)
            + sound
        )


class Recording:
    """A byte a sample: 480 kB a minute of a telephone leg, twice that of a wideband one."""

    def __init__(self, rate_hz: int) -> None:
        self.rate_hz = NARROW_HZ if rate_hz <= NARROW_HZ else SAMPLE_RATE_HZ
        self._stride = SAMPLE_RATE_HZ // self.rate_hz  # a narrow line holds nothing in between
        self._steps: deque[tuple[int, bytes]] = deque(maxlen=MOST_STEPS)

    def put(self, step: Step) -> None:
        """The leg's next step; the oldest goes."""
        self._steps.append((step.index, _mulaw(step.pcm[CONTEXT_SAMPLES :: self._stride])))

    def clip(self, segments: Sequence[SpokenFor], before: Clip | None) -> Clip | None:
        """The segments' sound, from here or from the clip cut before; None where none is held.

        No more than `MOST_MS` in all: of older ones nothing is kept.
        """
        if not segments:
            return None
        end_ms = max(each.end_ms for each in segments)
        start_ms = max(min(each.start_ms for each in segments), end_ms - MOST_MS)
        sound = bytearray(SILENCE) * self._samples(end_ms - start_ms)
        held = [(index * STEP_MS, mulaw) for index, mulaw in self._steps]
        if before is not None:
            held.insert(0, (before.start_ms, before.mulaw))
        is_heard = False
        for at_ms, mulaw in held:
            for each in segments:
                first, last = max(each.start_ms, at_ms, start_ms), min(each.end_ms, end_ms)
                piece = mulaw[self._samples(first - at_ms) : self._samples(max(0, last - at_ms))]
                if piece:
                    place = self._samples(first - start_ms)
                    sound[place : place + len(piece)] = piece
                    is_heard = True
        return Clip(start_ms, self.rate_hz, bytes(sound)) if is_heard else None

    def _samples(self, ms: int) -> int:
        return ms * self.rate_hz // 1000


def _mulaw(pcm: Float32s) -> bytes:
    """[T] -> T bytes, by a table over 14 bits, as fine as mu-law is: a tenth of what a search for
    the nearest level costs."""
    at = np.clip(pcm * _HALF + _HALF, 0, 2 * _HALF - 1).astype(np.uint16)
    return _CODES.take(at).tobytes()


_HALF = 8_192
_CODES = np.frombuffer(
    encode_mulaw(((np.arange(2 * _HALF) + 0.5) / _HALF - 1).astype(np.float32)), np.uint8
)
