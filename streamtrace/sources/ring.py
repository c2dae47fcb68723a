"""Received audio that waits for the engine: bounded, and it is the oldest that goes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

from streamtrace.ports import LegAudio
from streamtrace.values import SAMPLE_RATE_HZ, AudioChunk, GapCause, Leg

MOST_AGE_S = 2.0
MOST_AUDIO_S = 30.0  # a sender that is much faster than real time; two megabytes


class AudioRing:
    """Whoever receives never waits; whoever reads waits for audio, and hears no more after `close`.

    When the engine is behind, audio that has waited too long goes first, so decisions stay about
    now. What went is missing like lost audio: positions jump, and what comes next says why. Then
    all goes that has waited half as long: one gap that lets the engine catch up costs less than
    many small ones, each of which takes the encoder's memory from it.
    """

    def __init__(
        self,
        *,
        most_age_s: float = MOST_AGE_S,
        most_audio_s: float = MOST_AUDIO_S,
        on_drop: Callable[[float], None] | None = None,
    ) -> None:
        self._most_age_s = most_age_s
        self._most_samples = round(most_audio_s * SAMPLE_RATE_HZ)
        self._on_drop = on_drop  # told how many seconds went
        self._waiting: deque[LegAudio] = deque()
        self._samples = 0
        self._dropped_samples = 0
        self._dropped_legs: set[Leg] = set()  # whose next audio comes behind a drop
        self._reader: asyncio.Future[None] | None = None  # waits for audio, or for the end
        self.is_closed = False

    @property
    def dropped_ms(self) -> int:
        """How much audio had to go so far."""
        return self._dropped_samples * 1000 // SAMPLE_RATE_HZ

    def put(
        self,
        chunk: AudioChunk,
        received_at_s: float,
        leg: Leg = Leg.CALLER,
        gap_cause: GapCause = GapCause.LOST,
    ) -> None:
        """Take in what has just been received; nothing is taken after `close`."""
        if self.is_closed:
            return
        waiting = self._waiting
        waiting.append(LegAudio(leg, chunk, received_at_s, gap_cause))
        self._samples += len(chunk.pcm)
        is_late = waiting[0].received_at_s < received_at_s - self._most_age_s
        if is_late or self._samples > self._most_samples:
            self._drop(received_at_s, is_late=is_late)
        self._wake()

    def close(self) -> None:
        """Nothing follows; what waits can still be read."""
        self.is_closed = True
        self._wake()

    def take(self) -> LegAudio | None:
        """The oldest audio that waits, if any does."""
        if not self._waiting:
            return None
        audio = self._waiting.popleft()
        self._samples -= len(audio.chunk.pcm)
        if self._dropped_legs and audio.leg in self._dropped_legs:
            self._dropped_legs.discard(audio.leg)
            return audio._replace(gap_cause=GapCause.DROPPED)
        return audio

    def more(self) -> asyncio.Future[None]:
        """Done with the next audio, or at the end; for one reader, where nothing waits now."""
        self._reader = asyncio.get_running_loop().create_future()
        return self._reader

    async def __aiter__(self) -> AsyncIterator[LegAudio]:
        while True:
            while (audio := self.take()) is not None:
                yield audio
            if self.is_closed:
                return
            await self.more()

    def _wake(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None and not reader.done():
            reader.set_result(None)

    def _drop(self, now_s: float, *, is_late: bool) -> None:
        oldest_s = now_s - self._most_age_s / (2 if is_late else 1)
        # A leg's newest audio stays, or nothing would be left to say what went before it.
        newest = {audio.leg: audio for audio in self._waiting}
        waiting, self._waiting = self._waiting, deque()
        dropped = 0
        for audio in waiting:
            is_old = audio.received_at_s < oldest_s or self._samples > self._most_samples
            if not is_old or newest[audio.leg] is audio:
                self._waiting.append(audio)
                continue
            self._dropped_legs.add(audio.leg)
            self._samples -= len(audio.chunk.pcm)
            dropped += len(audio.chunk.pcm)
        self._dropped_samples += dropped
        if dropped and self._on_drop is not None:
            self._on_drop(dropped / SAMPLE_RATE_HZ)
