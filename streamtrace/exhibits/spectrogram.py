"""One leg's spectrogram: the last minute in full, what lies behind it ever coarser, never more."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

import numpy as np

from streamtrace.exhibits.bands import BANDS, COLUMN_MS, COLUMNS_PER_STEP, Bytes

MOST_FINE = 750  # columns: a minute
MOST_COARSE = 150  # of each resolution behind it
MOVED = 30  # columns that go over together, joined in pairs
MOST_BLANK = MOST_FINE  # written at once

_HEAD = struct.Struct("<II")  # of a packed stretch: from where to where


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """A part of a spectrogram, its columns even in time."""

    start_ms: int
    end_ms: int
    columns: Bytes  # [N, BANDS]

    def packed(self) -> bytes:
        """As it is sealed."""
        return _HEAD.pack(self.start_ms, self.end_ms) + zlib.compress(self.columns.tobytes())

    @classmethod
    def unpacked(cls, packed: bytes) -> Stretch:
        """As it was sealed."""
        start_ms, end_ms = _HEAD.unpack_from(packed)
        columns = np.frombuffer(zlib.decompress(packed[_HEAD.size :]), np.uint8)
        return cls(start_ms, end_ms, columns.reshape(-1, BANDS))


class Spectrogram:
    """Memory grows with the logarithm of the call alone: 24 kB a minute, 65 kB an hour, 90 kB for
    the longest calls."""

    def __init__(self) -> None:
        self._levels: list[bytearray] = [bytearray()]  # finest first, each in order of time
        self._first = 0  # column of the leg's first step
        self._next = 0  # column behind the newest
        self._begun = False

    @property
    def start_ms(self) -> int:
        """Where it begins."""
        return self._first * COLUMN_MS

    @property
    def end_ms(self) -> int:
        """Behind its newest column."""
        return self._next * COLUMN_MS

    @property
    def nbytes(self) -> int:
        """What its columns cost."""
        return sum(len(level) for level in self._levels)

    def put(self, index: int, columns: Bytes) -> None:
        """[COLUMNS_PER_STEP, BANDS] of the step of that index; a leap leaves blank columns."""
        at = index * COLUMNS_PER_STEP
        if not self._begun:
            self._begun, self._first, self._next = True, at, at
        while self._next < at:
            blank = min(at - self._next, MOST_BLANK)
            self._write(bytes(blank * BANDS), blank)
        if at == self._next:
            self._write(columns.tobytes(), len(columns))

    def stretch(self, start_ms: int, end_ms: int, most: int) -> Stretch:
        """From one call time to another, in `most` columns at most; blank where nothing is held."""
        end_ms = max(end_ms, start_ms + COLUMN_MS)
        count = min(most, -(-(end_ms - start_ms) // COLUMN_MS))
        at_ms = start_ms + (np.arange(count) + 0.5) * (end_ms - start_ms) / count
        wanted = np.floor(at_ms / COLUMN_MS).astype(np.int64)
        columns = np.zeros((count, BANDS), np.uint8)
        end, width = self._next, 1
        for level in self._levels:
            held = np.frombuffer(level, np.uint8).reshape(-1, BANDS)
            start = end - width * len(held)
            here = (wanted >= start) & (wanted < end)
            columns[here] = held[(wanted[here] - start) // width]
            end, width = start, 2 * width
        return Stretch(start_ms, end_ms, columns)

    def recent(self) -> Bytes:
        """[N, BANDS]: what is held in full."""
        return np.frombuffer(bytes(self._levels[0]), np.uint8).reshape(-1, BANDS)

    def _write(self, columns: bytes, count: int) -> None:
        self._levels[0] += columns
        self._next += count
        self._make_room(0)

    def _make_room(self, at: int) -> None:
        """The oldest of a level go over to the next, in pairs."""
        level = self._levels[at]
        most = (MOST_COARSE if at else MOST_FINE) * BANDS
        while len(level) > most + MOVED * BANDS:
            oldest = np.frombuffer(bytes(level[: MOVED * BANDS]), np.uint8)
            pairs = oldest.reshape(-1, 2, BANDS).mean(axis=1).astype(np.uint8)
            del level[: MOVED * BANDS]
            if at + 1 == len(self._levels):
                self._levels.append(bytearray())
            self._levels[at + 1] += pairs.tobytes()
            self._make_room(at + 1)
