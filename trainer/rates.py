"""Resampling of whole clips, in one place because soxr carries no types and may be missing."""

from __future__ import annotations

import importlib.util
import math
from typing import Literal

import numpy as np

from streamtrace.values import Float32s

Quality = Literal["QQ", "LQ", "MQ", "HQ", "VHQ"]
HAS_SOXR = importlib.util.find_spec("soxr") is not None


def resample(pcm: Float32s, from_hz: int, to_hz: int, *, quality: Quality = "HQ") -> Float32s:
    """[T] at `from_hz` to [~ T * to_hz / from_hz] at `to_hz`."""
    if from_hz == to_hz or pcm.size == 0:
        return pcm
    if not HAS_SOXR:
        return _by_spectrum(pcm, from_hz, to_hz)
    import soxr  # pyright: ignore[reportMissingTypeStubs]

    return np.asarray(
        soxr.resample(pcm, from_hz, to_hz, quality=quality),  # pyright: ignore
        dtype=np.float32,
    )


def _by_spectrum(pcm: Float32s, from_hz: int, to_hz: int) -> Float32s:
    """The same for machines that only train: half a second of silence keeps the ends apart."""
    unit = math.gcd(from_hz, to_hz)
    blocks = -(-(pcm.size + from_hz // 2) * unit // from_hz)
    spectrum = np.fft.rfft(pcm, blocks * (from_hz // unit))
    size = blocks * (to_hz // unit)
    kept = min(spectrum.size, size // 2 + 1)
    edge = kept // 16  # a soft edge rings less than a wall
    spectrum = spectrum[:kept]
    spectrum[kept - edge :] *= 0.5 + 0.5 * np.cos(np.pi * (np.arange(edge) + 1) / (edge + 1))
    heard = np.fft.irfft(spectrum, size)[: -(-pcm.size * to_hz // from_hz)]
    return (heard * (to_hz / from_hz)).astype(np.float32)


def fitted(pcm: Float32s, length: int) -> Float32s:
    """Cut or zero-padded to `length` samples."""
    if pcm.size >= length:
        return pcm[:length]
    return np.concatenate([pcm, np.zeros(length - pcm.size, dtype=np.float32)])
