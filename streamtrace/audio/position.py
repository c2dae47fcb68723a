"""One leg's way in: audio at the line's rate and positions becomes chunks at 16 kHz."""

from __future__ import annotations

from streamtrace.audio.resample import Resampler
from streamtrace.values import SAMPLE_RATE_HZ, STEP_SAMPLES, AudioChunk, Float32s


class LegInput:
    """Audio before and behind a gap is never joined, and nothing is heard twice.

    Positions are exact, so any jump forward is a gap: the resampler is emptied and a new one
    begins behind it. Audio from before the current position is left out.
    """

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._resampler = Resampler(rate_hz)
        self._joined = False  # whether the resampler holds audio that more may follow on
        self._began = 0  # where the audio that it was given began, at the line's rate
        self._begin = 0  # the same at 16 kHz
        self._follows_gap = False  # whether there was audio before that
        self._native = 0  # the position of the next sample at the line's rate
        self._start = 0  # the position of the next sample at 16 kHz

    def feed(self, start_sample_native: int, pcm: Float32s) -> list[AudioChunk]:
        """Take `pcm` [T] that begins at this position of the line's clock, 0 or more.

        All samples are numbers, as whatever a codec makes is.
        """
        start = start_sample_native
        if start < self._native:
            start, pcm = self._native, pcm[self._native - start :]
        if not len(pcm):
            return []
        before: list[AudioChunk] = []
        if start != self._native or not self._joined:
            before = self.flush()
            self._start = self._begin = self._at_16k(start)
            self._follows_gap = self._native > 0
            self._began = start
            self._joined = True
        self._native = start + len(pcm)
        taken = self._taken(self._resampler.feed(pcm))
        return before + taken if before else taken

    def flush(self) -> list[AudioChunk]:
        """The rest of what was fed; what follows is a stretch of its own."""
        if not self._joined:
            return []
        rest = self._taken(self._resampler.flush())
        self._resampler = Resampler(self._rate_hz)
        self._joined = False
        return rest

    def news_at(self) -> int | None:
        """Up to where more audio must come to make a difference, at the line's rate.

        That is where it completes an encoder step or, behind a gap, where its first sound comes
        through. None where the resampler does not tell.
        """
        if not self._joined:
            return self._native  # whatever comes is the first of its stretch
        begin = self._begin
        is_silent = self._start == begin and self._follows_gap
        wanted = begin + 1 if is_silent else (self._start // STEP_SAMPLES + 1) * STEP_SAMPLES
        inputs = self._resampler.inputs_for(wanted - begin)
        return None if inputs is None else self._began + inputs

    def _taken(self, pcm: Float32s) -> list[AudioChunk]:
        if not len(pcm):
            return []
        chunk = AudioChunk(self._start, pcm)
        self._start = chunk.end_sample
        return [chunk]

    def _at_16k(self, native: int) -> int:
        """Rounded half up, in whole numbers: a float would drift over long calls."""
        return (2 * native * SAMPLE_RATE_HZ + self._rate_hz) // (2 * self._rate_hz)
