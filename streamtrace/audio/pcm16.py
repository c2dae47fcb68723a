"""16-bit linear PCM, little-endian, to and from floats."""

from __future__ import annotations

import numpy as np

from streamtrace.values import Float32s

FULL_SCALE = 32768.0


def decode_pcm16(payload: bytes) -> Float32s:
    """2T bytes -> [T] in [-1, 1); an odd last byte is half a sample and is left out."""
    whole = len(payload) - len(payload) % 2
    return np.frombuffer(payload[:whole], "<i2").astype(np.float32) / np.float32(FULL_SCALE)


def encode_pcm16(pcm: Float32s) -> bytes:
    """[T] -> 2T bytes; what is beyond full scale is clipped."""
    return np.clip(np.rint(pcm * FULL_SCALE), -32768, 32767).astype("<i2").tobytes()
