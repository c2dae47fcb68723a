"""One leg's way in: audio at the line's rate and positions becomes chunks at 16 kHz."""

from __future__ import annotations

import numpy as np

from streamtrace.audio.finite import finite
from streamtrace.audio.resample import Resampler
from streamtrace.values import SAMPLE_RATE_HZ, AudioChunk, Float32s


class LegInput:
    """Audio before and behind a gap is never joined, and nothing is heard twice.

    Positions are exact, so any jump forward is a gap: the resampler is emptied and a new one
    begins behind it. Audio from before the current position is left out.
    """

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._resampler = Resampler(rate_hz)
        self._native: int | None = None  # the position of the next sample at the line's rate
        self._start = 0  # the position of the next sample at 16 kHz

    def feed(self, start_sample_native: int, pcm: Float32s) -> list[AudioChunk]:
        """Take `pcm` [T] that begins at this position of the line's clock."""
        if self._native is not None and start_sample_native < self._native:
            late = self._native - start_sample_native
            start_sample_native, pcm = self._native, pcm[late:]
        if not len(pcm):
            return []
        chunks: list[AudioChunk] = []
        if start_sample_native != self._native:
            chunks += self.flush()
            self._start = self._at_16k(start_sample_native)
            self._native = start_sample_native
        self._native = start_sample_native + len(pcm)
        samples = finite(np.ascontiguousarray(pcm, np.float32))
        return chunks + self._taken(self._resampler.feed(samples))

    def flush(self) -> list[AudioChunk]:
        """The rest of what was fed; audio may follow, as a stretch of its own."""
        if self._native is None:
            return []
        rest = self._taken(self._resampler.flush())
        self._resampler = Resampler(self._rate_hz)
        self._native = None
        return rest

    def _taken(self, pcm: Float32s) -> list[AudioChunk]:
        if not len(pcm):
            return []
        chunk = AudioChunk(self._start, pcm)
        self._start = chunk.end_sample
        return [chunk]

    def _at_16k(self, native: int) -> int:
        """Rounded half up, in whole numbers: a float would drift over long calls."""
        return (2 * native * SAMPLE_RATE_HZ + self._rate_hz) // (2 * self._rate_hz)
