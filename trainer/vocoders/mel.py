"""The mel filters that most text-to-speech systems hand to their vocoder."""

from __future__ import annotations

from functools import cache

import numpy as np

from streamtrace.values import SAMPLE_RATE_HZ, Float32s


@cache
def mel_filters(length: int, bands: int, low_hz: float = 0.0, high_hz: float = 8000.0) -> Float32s:
    """Triangles of unit area [bands, length // 2 + 1] over the bins of a transform of `length`."""

    def mel(hz: float) -> float:
        return 2595 * float(np.log10(1 + hz / 700))

    edges = 700 * (10 ** (np.linspace(mel(low_hz), mel(high_hz), bands + 2) / 2595) - 1)
    hz = np.fft.rfftfreq(length, 1 / SAMPLE_RATE_HZ)
    rising = (hz - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - hz) / (edges[2:] - edges[1:-1])[:, None]
    triangles = np.maximum(0, np.minimum(rising, falling))
    # Low bands can be narrower than a bin: each holds at least the bin at its centre.
    nearest = np.rint(edges[1:-1] * length / SAMPLE_RATE_HZ).astype(np.int64)
    rows = np.arange(bands)
    triangles[rows, nearest] = np.maximum(triangles[rows, nearest], 0.1)
    return (triangles * (2 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)
