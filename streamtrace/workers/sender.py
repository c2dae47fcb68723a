"""Writes an ingest process's calls into the ring; where it is full, the call waits its turn.

Nothing grows meanwhile: what a waiting call receives stays in its own `AudioRing`, which drops the
oldest.
"""

from __future__ import annotations

import asyncio
import mmap
import socket
from collections.abc import Callable, Iterator

from streamtrace.ports import LegAudio
from streamtrace.values import SAMPLE_RATE_HZ, AudioChunk
from streamtrace.workers.bell import Bell
from streamtrace.workers.records import RingItem, write_item
from streamtrace.workers.ring import RingTorn, RingWriter

MOST_SAMPLES = 4 * SAMPLE_RATE_HZ  # in one record


class RingSender:
    """The one writer of the ring; `open` in a running loop, `close` in the end."""

    def __init__(
        self, memory: mmap.mmap, bell: socket.socket, *, on_lost: Callable[[], None]
    ) -> None:
        self._writer = RingWriter(memory)
        self._on_lost = on_lost
        self._bell = Bell(bell, on_position=self._freed, on_lost=on_lost)
        self._space = asyncio.Event()

    def open(self) -> None:
        """Hear what has been read."""
        self._bell.open()

    async def put(self, channel: int, item: RingItem) -> None:
        """Write the next item of a call."""
        for piece in _pieces(item):
            record = write_item(channel, piece)
            while not self._writer.write(record):
                self._space.clear()
                await self._space.wait()
            self._bell.ring(self._writer.head)

    def close(self) -> None:
        """Nothing is written any more."""
        self._bell.close()

    def _freed(self, tail: int) -> None:
        try:
            self._writer.freed(tail)
        except RingTorn:
            self._on_lost()
            return
        self._space.set()


def _pieces(item: RingItem) -> Iterator[RingItem]:
    """Long audio in parts that fit."""
    if not isinstance(item, LegAudio) or len(item.chunk.pcm) <= MOST_SAMPLES:
        yield item
        return
    start, pcm = item.chunk.start_sample, item.chunk.pcm
    for at in range(0, len(pcm), MOST_SAMPLES):
        chunk = AudioChunk(start + at, pcm[at : at + MOST_SAMPLES])
        yield LegAudio(item.leg, chunk, item.received_at_s, item.gap_cause)
