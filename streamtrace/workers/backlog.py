"""A call's items on the engine's side of the ring: an `AudioSource` with a bounded backlog."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

from streamtrace.ports import LegAudio, SourceEnded, SourceItem
from streamtrace.sources.ring import MOST_AUDIO_S
from streamtrace.values import SAMPLE_RATE_HZ, EndReason, GapCause, Leg
from streamtrace.workers.records import RingItem, SourceFailed

MOST_SAID = 64  # what is no audio and waits; keys pressed, at most


class RemoteSource:
    """What came through the ring, in its order; whoever puts never waits.

    Audio that waited too long gives way like in `AudioRing`. What is no audio never does: it stays
    where it was between the audio that is left.
    """

    def __init__(
        self,
        *,
        most_age_s: float,
        most_audio_s: float = MOST_AUDIO_S,
        on_drop: Callable[[float], None] | None = None,
    ) -> None:
        self._most_age_s = most_age_s
        self._most_samples = round(most_audio_s * SAMPLE_RATE_HZ)
        self._on_drop = on_drop
        self._due: deque[RingItem] = deque()  # said before audio that has gone: comes next
        self._waiting: deque[RingItem] = deque()
        self._audio = 0  # chunks among what waits
        self._samples = 0
        self._dropped_legs: set[Leg] = set()
        self._changed = asyncio.Event()
        self._over = False

    def put(self, item: RingItem) -> None:
        """Take the next item; nothing is taken behind the end."""
        if self._over:
            return
        if isinstance(item, LegAudio):
            self._audio += 1
            self._samples += len(item.chunk.pcm)
        elif self._said() >= MOST_SAID:
            item = SourceFailed(f"more than {MOST_SAID} things said with no time to hear them")
        self._over = isinstance(item, SourceEnded | SourceFailed)
        self._waiting.append(item)
        if isinstance(item, LegAudio):
            self._drop(item.received_at_s)
        self._changed.set()

    def lose(self) -> None:
        """Nothing follows, because whoever sent it is gone."""
        self.put(SourceEnded(EndReason.SOURCE_LOST))

    async def __aiter__(self) -> AsyncIterator[SourceItem]:
        while True:
            while self._due or self._waiting:
                item = self._take()
                if isinstance(item, SourceFailed):
                    raise item.error()
                yield item
                if isinstance(item, SourceEnded):
                    return
            self._changed.clear()
            await self._changed.wait()

    def _take(self) -> RingItem:
        item = (self._due or self._waiting).popleft()
        if not isinstance(item, LegAudio):
            return item
        self._forget(item)
        if item.leg in self._dropped_legs:
            self._dropped_legs.discard(item.leg)
            return item._replace(gap_cause=GapCause.DROPPED)
        return item

    def _forget(self, audio: LegAudio) -> None:
        self._audio -= 1
        self._samples -= len(audio.chunk.pcm)

    def _said(self) -> int:
        return len(self._due) + len(self._waiting) - self._audio

    def _drop(self, now_s: float) -> None:
        """The oldest audio goes while it is too old, or too much; the newest never does."""
        dropped, too_old_s = 0, now_s - self._most_age_s
        while self._audio > 1:
            while not isinstance(oldest := self._waiting[0], LegAudio):
                self._due.append(self._waiting.popleft())
            if oldest.received_at_s < too_old_s:
                too_old_s = now_s - self._most_age_s / 2  # in one gap, as in `AudioRing`
            elif self._samples <= self._most_samples:
                break
            self._waiting.popleft()
            self._forget(oldest)
            self._dropped_legs.add(oldest.leg)
            dropped += len(oldest.chunk.pcm)
        if dropped and self._on_drop is not None:
            self._on_drop(dropped / SAMPLE_RATE_HZ)
