"""Streaming resampling to 16 kHz."""

from __future__ import annotations

from typing import cast

import numpy as np
import soxr  # pyright: ignore[reportMissingTypeStubs]

from streamtrace.errors import AudioError
from streamtrace.values import SAMPLE_RATE_HZ, Float32s

LOWEST_RATE_HZ, HIGHEST_RATE_HZ = 4_000, 384_000

_NOTHING: Float32s = np.zeros(0, np.float32)


class Resampler:
    """Chunking must not matter: what comes out in the end depends on the samples alone.

    What comes out lags behind what went in (at 8 kHz by 64 ms on average, since the filter works
    in blocks); `flush` gives the rest, after which the resampler is spent.
    """

    def __init__(self, rate_hz: int) -> None:
        if not LOWEST_RATE_HZ <= rate_hz <= HIGHEST_RATE_HZ:
            raise AudioError(
                f"sample rate {rate_hz} Hz: want {LOWEST_RATE_HZ} to {HIGHEST_RATE_HZ} Hz"
            )
        self._stream = (
            None
            if rate_hz == SAMPLE_RATE_HZ
            # HQ is also what the trainer resamples with.
            else soxr.ResampleStream(rate_hz, SAMPLE_RATE_HZ, 1, dtype="float32", quality="HQ")
        )

    def feed(self, pcm: Float32s) -> Float32s:
        """[T] at the native rate -> [T'] at 16 kHz, as much as is ready."""
        return pcm if self._stream is None else self._resampled(pcm, last=False)

    def flush(self) -> Float32s:
        """The rest, once nothing follows."""
        return _NOTHING if self._stream is None else self._resampled(_NOTHING, last=True)

    def _resampled(self, pcm: Float32s, *, last: bool) -> Float32s:
        assert self._stream is not None
        return cast(
            Float32s,
            self._stream.resample_chunk(pcm, last=last),  # pyright: ignore
        )
