"""Brings a caller's audio to the rate of its line."""

from __future__ import annotations

import numpy as np
import soxr  # pyright: ignore[reportMissingTypeStubs]

from streamtrace.values import SAMPLE_RATE_HZ, Float32s


def at_rate(pcm: Float32s, rate_hz: int) -> Float32s:
    """[T] at 16 kHz -> [T * rate_hz / 16000]."""
    return np.asarray(soxr.resample(pcm, SAMPLE_RATE_HZ, rate_hz), np.float32)


def interleaved(parties: list[Float32s], rate_hz: int) -> Float32s:
    """Parties of any length at 16 kHz -> [T, parties] at `rate_hz`, short ones end in silence."""
    resampled = [at_rate(party, rate_hz) for party in parties]
    samples = np.zeros((max(map(len, resampled)), len(parties)), np.float32)
    for channel, party in enumerate(resampled):
        samples[: len(party), channel] = party
    return samples
