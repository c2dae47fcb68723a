"""Resampling of whole clips, in one place because soxr carries no types."""

from __future__ import annotations

from typing import Literal

import numpy as np
import soxr  # pyright: ignore[reportMissingTypeStubs]

from streamtrace.values import Float32s

Quality = Literal["QQ", "LQ", "MQ", "HQ", "VHQ"]


def resample(pcm: Float32s, from_hz: int, to_hz: int, *, quality: Quality = "HQ") -> Float32s:
    """[T] at `from_hz` to [~ T * to_hz / from_hz] at `to_hz`."""
    if from_hz == to_hz:
        return pcm
    return np.asarray(
        soxr.resample(pcm, from_hz, to_hz, quality=quality),  # pyright: ignore
        dtype=np.float32,
    )
