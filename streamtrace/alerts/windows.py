"""Which systems a leg's windows named, over time: a few even stretches, however long the call."""

from __future__ import annotations

from dataclasses import dataclass, replace

from streamtrace.events.alerts import NamedWithin
from streamtrace.values import Decision, Float32s, Segment

MOST_STRETCHES = 12
MOST_SOURCES = 2  # of each, and `unknown`


@dataclass(slots=True, eq=False)
class _Stretch:
    start_ms: int
    end_ms: int
    blocks: int
    speech_ms: int
    shares: Float32s  # [S + 1], times the speech

    def join(self, other: _Stretch) -> None:
        self.end_ms = other.end_ms
        self.blocks += other.blocks
        self.speech_ms += other.speech_ms
        self.shares = self.shares + other.shares


class NamedWindows:
    """Each stretch is the mean of its windows by their speech; full, neighbours are joined."""

    def __init__(self) -> None:
        self._stretches: list[_Stretch] = []
        self._blocks = 1  # to a stretch
        self._like: Decision | None = None

    def add(self, segment: Segment, window: Decision) -> None:
        """A window that overlaps none before, and what it says by itself."""
        self._like = window
        new = _Stretch(
            segment.start_ms,
            segment.end_ms,
            1,
            segment.speech_ms,
            window.attribution * segment.speech_ms,
        )
        if self._stretches and self._stretches[-1].blocks < self._blocks:
            self._stretches[-1].join(new)
            return
        if len(self._stretches) == MOST_STRETCHES:
            self._blocks *= 2
            for first, second in zip(self._stretches[::2], self._stretches[1::2], strict=True):
                first.join(second)
            del self._stretches[1::2]
        self._stretches.append(new)

    def told(self) -> tuple[NamedWithin, ...]:
        """In order of time."""
        return tuple(self._named(one) for one in self._stretches)

    def _named(self, one: _Stretch) -> NamedWithin:
        assert self._like is not None
        mean = replace(self._like, attribution=one.shares / max(one.speech_ms, 1))
        return NamedWithin(one.start_ms, one.end_ms, mean.sources_ranked(MOST_SOURCES, digits=4))
