"""Records from one process to another through shared memory: one writer, one reader, bounded.

The memory holds records alone. How far it is written, and how far it is read, are two positions
that only ever grow, and each side is told the other's by message (see `bell.py`), never by looking
into the memory: what the kernel hands over orders both sides' loads and stores on every machine,
which plain stores from Python would do on x86 alone.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from streamtrace.errors import StreamTraceError

RING_BYTES = 8 << 20  # two seconds and a half of fifty calls
ALIGNMENT = 8
_MAGIC = b"STR1"
# magic, kind, leg, cause, channel, bytes of payload, number, first sample, received at
_HEADER = struct.Struct("<4sBBBxIIQqd")


class RingTorn(StreamTraceError):
    """What is in the ring cannot have been written by a sound writer."""


class Kind(IntEnum):
    """What a record is."""

    PADDING = 0  # the rest of a lap, too short for the next record
    AUDIO = 1
    CONTROL = 2


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """One piece of one call; the payload of audio is float32 at 16 kHz, else it is JSON."""

    kind: Kind
    channel: int
    payload: bytes
    leg: int = 0
    cause: int = 0
    start_sample: int = 0
    received_at_s: float = 0.0


def create_memory(size: int = RING_BYTES) -> int:
    """A file descriptor of memory without a name: it goes when the last process has gone."""
    descriptor = os.memfd_create("streamtrace-ring")
    os.ftruncate(descriptor, size)
    return descriptor


def map_memory(descriptor: int) -> mmap.mmap:
    """The memory behind the descriptor, which is closed here."""
    try:
        return mmap.mmap(descriptor, 0)
    finally:
        os.close(descriptor)


class RingWriter:
    """The writing side; a record that does not fit now is not written."""

    def __init__(self, memory: mmap.mmap | bytearray) -> None:
        self.head = 0  # everything in front of it is written
        self._tail = 0  # everything in front of it has been read
        self._number = 0
        self._size = len(memory)
        self._memory = memoryview(memory)

    @property
    def most_bytes(self) -> int:
        """The largest payload that always fits in the end."""
        return self._size // 2 - _HEADER.size - ALIGNMENT

    def write(self, record: Record) -> bool:
        """Whether there was room for it."""
        payload = record.payload
        if len(payload) > self.most_bytes:
            raise ValueError(f"{len(payload)} bytes in a record: at most {self.most_bytes} fit")
        needed = _padded(len(payload))
        rest = self._size - self.head % self._size
        skipped = rest if rest < needed else 0
        if self.head + skipped + needed - self._tail > self._size:
            return False
        if skipped >= _HEADER.size:
            self._put(Record(Kind.PADDING, 0, b""), skipped - _HEADER.size)
        self.head += skipped
        at = self.head % self._size + _HEADER.size
        self._put(record, len(payload))
        self._memory[at : at + len(payload)] = payload
        self.head += needed
        return True

    def freed(self, tail: int) -> None:
        """The reader has read up to here."""
        if not self._tail <= tail <= self.head:
            raise RingTorn(f"the reader claims position {tail} of {self._tail} to {self.head}")
        self._tail = tail

    def _put(self, record: Record, length: int) -> None:
        self._number += 1
        _HEADER.pack_into(
            self._memory,
            self.head % self._size,
            _MAGIC,
            record.kind,
            record.leg,
            record.cause,
            record.channel,
            length,
            self._number,
            record.start_sample,
            record.received_at_s,
        )


class RingReader:
    """The reading side; believes nothing that it has not checked."""

    def __init__(self, memory: mmap.mmap | bytearray) -> None:
        self.tail = 0
        self._number = 0
        self._size = len(memory)
        self._memory = memoryview(memory)

    def read(self, head: int) -> Iterator[Record]:
        """The records up to `head`, each copied out; raises `RingTorn`."""
        if not self.tail <= head <= self.tail + self._size:
            raise RingTorn(f"the writer claims position {head} behind {self.tail}")
        while self.tail < head:
            rest = self._size - self.tail % self._size
            if rest < _HEADER.size:
                self.tail += rest
                continue
            record, taken = self._record(min(rest, head - self.tail))
            self.tail += taken
            if record is not None:
                yield record

    def _record(self, room: int) -> tuple[Record | None, int]:
        """The record at the tail and its whole length; None for padding."""
        if room < _HEADER.size:
            raise RingTorn(f"half a header at {self.tail}")
        at = self.tail % self._size
        magic, kind, leg, cause, channel, length, number, start_sample, received_at_s = (
            _HEADER.unpack_from(self._memory, at)
        )
        self._number += 1
        if magic != _MAGIC or number != self._number or kind not in tuple(Kind):
            raise RingTorn(f"no record at {self.tail}: kind {kind}, number {number}")
        taken = _padded(length)
        if taken > room:
            raise RingTorn(f"{length} bytes in a record at {self.tail}, where {room} are left")
        if kind == Kind.PADDING:
            return None, taken
        payload = bytes(self._memory[at + _HEADER.size : at + _HEADER.size + length])
        record = Record(Kind(kind), channel, payload, leg, cause, start_sample, received_at_s)
        return record, taken


def _padded(length: int) -> int:
    """The bytes that a record of this payload takes."""
    return _HEADER.size + length + -length % ALIGNMENT
