"""A leg's payloads until they are worth decoding: fifty messages a second become four chunks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from streamtrace.audio.codecs import Codec
from streamtrace.audio.position import LegInput
from streamtrace.values import AudioChunk

# A chunk, and when what brought it out had come: it waited here for its step, for nobody else.
Timed: TypeAlias = tuple[AudioChunk, float]

_NOTHING: tuple[Timed, ...] = ()


class PendingAudio:
    """Late decoding must not matter: what comes out is what decoding at once would give.

    A payload that completes an encoder step is decoded at once, with all that waited for it, and
    so is the first behind a gap: neither a step nor the news of a loss is later for the waiting.
    Where the resampler does not tell when a step will be complete nothing waits.
    """

    def __init__(self, rate_hz: int, codec: Codec) -> None:
        self._input = LegInput(rate_hz)
        self._codec = codec
        self._samples_in = codec.samples_in
        self._decode = codec.decoder()
        self._payloads: list[bytes] = []
        self._start = 0  # of the first payload that waits, at the line's rate
        self._end = -1  # behind the last one; before the first no place is
        self._due = 0  # where a step is complete

    def feed(self, start_sample: int, payload: bytes, received_at_s: float) -> Sequence[Timed]:
        """Take in whole samples that begin at this place of the line's clock."""
        if start_sample != self._end:
            return self._feed_apart(start_sample, payload, received_at_s)
        self._payloads.append(payload)
        self._end += self._samples_in(payload)
        return self._decoded(received_at_s) if self._end >= self._due else _NOTHING

    def flush(self, now_s: float) -> list[Timed]:
        """All that was fed: nothing follows, or what follows is a stretch of its own."""
        waited = self._decoded(now_s)
        return [*waited, *((chunk, now_s) for chunk in self._input.flush())]

    def _feed_apart(
        self, start_sample: int, payload: bytes, received_at_s: float
    ) -> Sequence[Timed]:
        """The leg's first payload, or one behind a gap or over what is there already."""
        waited = self._decoded(received_at_s)
        self._decode = self._codec.decoder()
        self._start = self._end = start_sample
        self._due = start_sample
        return [*waited, *self.feed(start_sample, payload, received_at_s)]

    def _decoded(self, now_s: float) -> Sequence[Timed]:
        if not self._payloads:
            return _NOTHING
        chunks = self._input.feed(self._start, self._decode(self._payloads))
        self._payloads.clear()
        self._start = self._end
        self._due = self._input.news_at() or 0
        if len(chunks) == 1:  # as nearly always
            return ((chunks[0], now_s),)
        return [(chunk, now_s) for chunk in chunks]
