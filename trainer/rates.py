"""Resampling of whole clips, in one place because soxr carries no types and may be missing."""

from __future__ import annotations

import importlib.util
from typing import Literal

import numpy as np

from streamtrace.values import Float32s

Quality = Literal["QQ", "LQ", "MQ", "HQ", "VHQ"]
HAS_SOXR = importlib.util.find_spec("soxr") is not None


def resample(pcm: Float32s, from_hz: int, to_hz: int, *, quality: Quality = "HQ") -> Float32s:
    """[T] at `from_hz` to [~ T * to_hz / from_hz] at `to_hz`."""
    if from_hz == to_hz or pcm.size == 0:
        return pcm
    import soxr  # pyright: ignore[reportMissingTypeStubs]

    return np.asarray(
        soxr.resample(pcm, from_hz, to_hz, quality=quality),  # pyright: ignore
        dtype=np.float32,
    )


def fitted(pcm: Float32s, length: int) -> Float32s:
    """Cut or zero-padded to `length` samples."""
    if pcm.size >= length:
        return pcm[:length]
    return np.concatenate([pcm, np.zeros(length - pcm.size, dtype=np.float32)])
