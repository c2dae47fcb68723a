"""Streaming resampling to 16 kHz."""

from __future__ import annotations

from typing import Protocol, cast

import numpy as np
import soxr  # pyright: ignore[reportMissingTypeStubs]

from streamtrace.audio.doubling import Doubler
from streamtrace.errors import AudioError
from streamtrace.values import SAMPLE_RATE_HZ, Float32s

LOWEST_RATE_HZ, HIGHEST_RATE_HZ = 4_000, 384_000

_NOTHING: Float32s = np.zeros(0, np.float32)


class _Filter(Protocol):
    """What brings one stream to 16 kHz."""

    def feed(self, pcm: Float32s) -> Float32s: ...

    def flush(self) -> Float32s: ...

    def inputs_for(self, outputs: int) -> int | None: ...


class Resampler:
    """Chunking must not matter: what comes out in the end depends on the samples alone.

    What comes out lags behind what went in, at 8 kHz by 20 ms at most; `flush` gives the rest,
    after which the resampler is spent.
    """

    def __init__(self, rate_hz: int) -> None:
        if not LOWEST_RATE_HZ <= rate_hz <= HIGHEST_RATE_HZ:
            raise AudioError(
                f"sample rate {rate_hz} Hz: want {LOWEST_RATE_HZ} to {HIGHEST_RATE_HZ} Hz"
            )
        self._filter = _filter(rate_hz)

    def feed(self, pcm: Float32s) -> Float32s:
        """[T] at the native rate -> [T'] at 16 kHz, as much as is ready."""
        return self._filter.feed(pcm)

    def flush(self) -> Float32s:
        """The rest, once nothing follows."""
        return self._filter.flush()

    def inputs_for(self, outputs: int) -> int | None:
        """How many samples in all must be fed until so many in all came out; None: that varies."""
        return self._filter.inputs_for(outputs)


def _filter(rate_hz: int) -> _Filter:
    if rate_hz == SAMPLE_RATE_HZ:
        return _Untouched()
    return Doubler() if 2 * rate_hz == SAMPLE_RATE_HZ else _Soxr(rate_hz)


class _Untouched:
    """16 kHz already."""

    def feed(self, pcm: Float32s) -> Float32s:
        return pcm

    def flush(self) -> Float32s:
        return _NOTHING

    def inputs_for(self, outputs: int) -> int:
        return outputs


class _Soxr:
    """Any other rate; it works in blocks of its own choosing."""

    def __init__(self, rate_hz: int) -> None:
        # HQ is also what the trainer resamples with.
        self._stream = soxr.ResampleStream(
            rate_hz, SAMPLE_RATE_HZ, 1, dtype="float32", quality="HQ"
        )

    def feed(self, pcm: Float32s) -> Float32s:
        return self._resampled(pcm, last=False)

    def flush(self) -> Float32s:
        return self._resampled(_NOTHING, last=True)

    def inputs_for(self, outputs: int) -> None:
        return None

    def _resampled(self, pcm: Float32s, *, last: bool) -> Float32s:
        return cast(
            Float32s,
            self._stream.resample_chunk(pcm, last=last),  # pyright: ignore
        )
