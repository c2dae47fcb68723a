"""One track of numbered frames: puts them in order and finds each one's place on the clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

# Frames held back while one is missing. Loss is then late by 60 ms; more would cost latency.
MOST_HELD = 3
# Stamps are rounded, and some senders stamp at sending: only a clear jump is believed to be one.
SLACK_MS = 40


class Placed(NamedTuple):
    """A frame whose place is settled; a tuple, for there are fifty a second."""

    start_sample: int
    payload: bytes


class _Frame(NamedTuple):
    stamp_ms: int | None
    payload: bytes


class Track:
    """Frames come out once, in order, and never joined over one that is missing.

    A frame that is twice there, or too late, is left out. The counter says what is missing; the
    stamp says where a track begins and how long a hole is. Wall time plays no part.
    """

    def __init__(
        self,
        rate_hz: int,
        samples_in: Callable[[bytes], int] = len,  # of one payload, at this rate
        *,
        most_held: int = MOST_HELD,
    ) -> None:
        self._rate_hz = rate_hz
        self._samples_in = samples_in
        self._most_held = most_held
        self._slack = SLACK_MS * rate_hz // 1000
        self._held: dict[int, _Frame] = {}
        self._next: int | None = None  # the number due next
        self._placed: int | None = None  # the number placed last
        self._end: int | None = None  # position behind the last frame placed
        self._frame_samples = 0  # of the last frame placed

    def feed(self, number: int | None, stamp_ms: int | None, payload: bytes) -> list[Placed]:
        """Frames whose turn it is now; an unnumbered one always has its turn."""
        if number is None:
            return self._place(stamp_ms, payload, missing=0)
        if number == self._next and not self._held and self._placed is not None:
            self._placed, self._next = number, number + 1  # as nearly always
            return self._place(stamp_ms, payload, missing=0)
        if self._next is None:
            self._next = min(number, 1)  # counters begin at 1, so an earlier frame may follow
        if number < self._next or number in self._held:
            return []
        self._held[number] = _Frame(stamp_ms, payload)
        return self._release(self._most_held)

    def flush(self) -> list[Placed]:
        """All that is held: what is missing will not come."""
        return self._release(0)

    def _release(self, most_held: int) -> list[Placed]:
        placed: list[Placed] = []
        while self._held:
            number = min(self._held)
            if number != self._next and len(self._held) <= most_held:
                break
            missing = number - self._placed - 1 if self._placed is not None else 0
            placed += self._place(*self._held.pop(number), missing=missing)
            self._placed, self._next = number, number + 1
        return placed

    def _place(self, stamp_ms: int | None, payload: bytes, *, missing: int) -> list[Placed]:
        samples = self._samples_in(payload)
        start = self._start(stamp_ms, missing)
        self._end = start + samples
        self._frame_samples = samples or self._frame_samples
        return [Placed(start, payload)] if samples else []

    def _start(self, stamp_ms: int | None, missing: int) -> int:
        stamped = None if stamp_ms is None else stamp_ms * self._rate_hz // 1000
        if self._end is None:
            return stamped or 0
        counted = self._end + missing * self._frame_samples
        if stamped is None:
            return counted
        if stamped > counted + self._slack:
            return stamped  # the sender paused, or lost frames were longer
        if missing and self._end < stamped < counted - self._slack:
            return stamped  # lost frames were shorter
        return counted
