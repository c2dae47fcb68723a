"""G.711, the telephone's mu-law and A-law, by table in both directions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from streamtrace.audio.pcm16 import FULL_SCALE
from streamtrace.values import Float32s


@dataclass(frozen=True, slots=True, eq=False)
class Law:
    """256 levels, and the way back to the nearest of them."""

    levels: Float32s  # [256] by code
    codes: npt.NDArray[np.uint8]  # [256] by rising level
    borders: Float32s  # [255] halfway between neighbours

    @classmethod
    def of(cls, magnitude: npt.NDArray[np.int32], negative: npt.NDArray[np.bool_]) -> Law:
        """[256], [256] by code; magnitudes on a scale of 32,768."""
        levels = (np.where(negative, -magnitude, magnitude) / FULL_SCALE).astype(np.float32)
        codes = np.argsort(levels, kind="stable").astype(np.uint8)
        rising = levels[codes]
        return cls(levels, codes, (rising[1:] + rising[:-1]) * np.float32(0.5))

    def decode(self, payload: bytes) -> Float32s:
        """T bytes -> [T]."""
        # There are as many levels as bytes: not to look whether each is in range saves a third.
        return self.levels.take(np.frombuffer(payload, np.uint8), mode="wrap")

    def encode(self, pcm: Float32s) -> bytes:
        """[T] -> T bytes, each the nearest level."""
        return self.codes[np.searchsorted(self.borders, pcm)].tobytes()


def decode_mulaw(payload: bytes) -> Float32s:
    """T bytes -> [T]."""
    return _MULAW.decode(payload)


def decode_alaw(payload: bytes) -> Float32s:
    """T bytes -> [T]."""
    return _ALAW.decode(payload)


def encode_mulaw(pcm: Float32s) -> bytes:
    """[T] in [-1, 1] -> T bytes."""
    return _MULAW.encode(pcm)


def encode_alaw(pcm: Float32s) -> bytes:
    """[T] in [-1, 1] -> T bytes."""
    return _ALAW.encode(pcm)


def _mulaw() -> Law:
    """On the line every bit is inverted; segments double, on a bias of 33 (of 8,159)."""
    code = ~np.arange(256, dtype=np.uint8)
    exponent, mantissa = (code >> 4 & 7).astype(np.int32), (code & 15).astype(np.int32)
    return Law.of((((2 * mantissa + 33) << exponent) - 33) * 4, code >= 128)


def _alaw() -> Law:
    """On the line every other bit is inverted; the two lowest segments are one straight line."""
    code = np.arange(256, dtype=np.uint8) ^ 0x55
    exponent, mantissa = (code >> 4 & 7).astype(np.int32), (code & 15).astype(np.int32)
    steps = 2 * mantissa + 1
    curved = (steps + 32) << np.maximum(exponent - 1, 0)
    return Law.of(np.where(exponent == 0, steps, curved) * 8, code < 128)


_MULAW = _mulaw()
_ALAW = _alaw()
