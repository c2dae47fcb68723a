"""Received audio that waits for the engine: bounded, and it is the oldest that goes."""

from __future__ import annotations

import asyncio
import dataclasses
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
        self._changed = asyncio.Event()
        self._closed = False

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
        if self._closed:
            return
        self._waiting.append(LegAudio(leg, chunk, received_at_s, gap_cause))
        self._samples += len(chunk.pcm)
        self._drop(received_at_s)
        self._changed.set()

    def close(self) -> None:
        """Nothing follows; what waits can still be read."""
        self._closed = True
        self._changed.set()

    async def __aiter__(self) -> AsyncIterator[LegAudio]:
        while True:
            while self._waiting:
                audio = self._waiting.popleft()
                self._samples -= len(audio.chunk.pcm)
                if audio.leg in self._dropped_legs:
                    self._dropped_legs.discard(audio.leg)
                    audio = dataclasses.replace(audio, gap_cause=GapCause.DROPPED)
                yield audio
            if self._closed:
                return
            self._changed.clear()
            await self._changed.wait()

    def _drop(self, now_s: float) -> None:
        is_late = self._waiting[0].received_at_s < now_s - self._most_age_s
        if not is_late and self._samples <= self._most_samples:
            return
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
