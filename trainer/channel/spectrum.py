"""Linear changes of a whole clip, by way of its spectrum: no phase, no delay."""

from __future__ import annotations

import math

import numpy as np

from streamtrace.values import SAMPLE_RATE_HZ, Float32s

_RING = 1024  # samples behind the clip, so that its end does not ring into its beginning


def fast_length(length: int) -> int:
    """A transform length with small factors only, at least `length`."""
    step = 1 << max(length.bit_length() - 4, 0)
    return -(-length // step) * step


def convolved(pcm: Float32s, response: Float32s) -> Float32s:
    """[T] through an impulse response, cut to [T]."""
    size = fast_length(pcm.size + response.size)
    wet = np.fft.irfft(np.fft.rfft(pcm, size) * np.fft.rfft(response, size), size)
    return wet[: pcm.size].astype(np.float32)


def frequencies(pcm: Float32s) -> Float32s:
    """Where `shaped` wants its gains, in hertz; never quite zero."""
    hz = np.fft.rfftfreq(fast_length(pcm.size + _RING), 1 / SAMPLE_RATE_HZ)
    return hz.astype(np.float32) + np.float32(1e-3)


def shaped(pcm: Float32s, gain: Float32s) -> Float32s:
    """[T] with each of its `frequencies` at another level."""
    size = fast_length(pcm.size + _RING)
    return np.fft.irfft(np.fft.rfft(pcm, size) * gain, size)[: pcm.size].astype(np.float32)


def band_limits(hz: Float32s, low_hz: float, high_hz: float, tilt_db: float) -> Float32s:
    """Butterworth-like slopes at both ends, and a tilt over the band."""
    # Squared and multiplied: powers of floats cost more than all the rest.
    below, above = np.square(low_hz / hz), np.square(hz / high_hz)
    above = np.square(above * above * above)
    gain = np.exp((tilt_db * math.log(10) / 20) * (hz / 4000 - 1))
    return (gain / np.sqrt((1 + np.square(below)) * (1 + above))).astype(np.float32)


def notches(rng: np.random.Generator, hz: Float32s) -> Float32s:
    """One to five dips of random place, width and depth, as of a poor line or transducer."""
    gain = np.ones_like(hz)
    for _ in range(int(rng.integers(1, 6))):
        centre = float(rng.uniform(100, 7900))
        width = float(rng.uniform(100, 1000))
        depth = float(rng.uniform(0.5, 1.0))
        away = np.square((hz - centre) / (width / 2))
        gain *= 1 - depth / (1 + np.square(away))
    return gain
