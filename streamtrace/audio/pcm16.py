"""16-bit linear PCM, little-endian, to and from floats."""

from __future__ import annotations

import numpy as np

from streamtrace.values import Float32s

FULL_SCALE = 32768.0

# Made once: numpy takes longer to read their names than to decode a frame.
_INT16 = np.dtype("<i2")
_UNIT = np.array(1 / FULL_SCALE, np.float32)


def decode_pcm16(payload: bytes) -> Float32s:
    """2T bytes -> [T] in [-1, 1); an odd last byte is half a sample and is left out."""
    return np.frombuffer(payload, _INT16, len(payload) // 2) * _UNIT


def encode_pcm16(pcm: Float32s) -> bytes:
    """[T] -> 2T bytes; what is beyond full scale is clipped."""
    return np.clip(np.rint(pcm * FULL_SCALE), -32768, 32767).astype("<i2").tobytes()
