"""What spoke for a synthetic voice: the strongest stretches, and whom they named, bounded."""

from __future__ import annotations

from dataclasses import replace

from streamtrace.alerts.blocks import Block
from streamtrace.events.alerts import NamedFrom, SpokenFor
from streamtrace.values import Decision

MOST_SEGMENTS = 8
MOST_NAMES = 12  # of attribution over time: the first ones go


class Exhibits:
    """Kept however long the call; nothing here decides anything."""

    def __init__(self) -> None:
        self._segments: list[SpokenFor] = []
        self._named: list[NamedFrom] = []
        self._gained = 0.0  # by all that spoke for a synthetic voice

    def add(self, block: Block, gain: float, decision: Decision) -> None:
        """A block that has just been bet on, and what is known from all speech by then."""
        top = decision.sources_ranked(digits=4)[0]
        segment = block.segment
        self._gained += max(gain, 0.0)
        self._segments.append(
            SpokenFor(
                segment.start_ms,
                segment.end_ms,
                segment.speech_ms,
                round(block.probability, 4),
                round(gain, 4),
                None if top.family is None else top.source,
            )
        )
        if len(self._segments) > MOST_SEGMENTS:
            self._segments.remove(min(self._segments, key=lambda each: each.gain))
        if not self._named or self._named[-1].source != top.source:
            self._named.append(NamedFrom(segment.start_ms, top.source, top.family, top.probability))
            del self._named[:-MOST_NAMES]

    def segments(self, since_ms: int) -> tuple[SpokenFor, ...]:
        """Those from the onset on that spoke for a synthetic voice, in order of time."""
        return tuple(
            replace(each, share=round(each.gain / self._gained, 4))
            for each in self._segments
            if each.gain > 0 and each.end_ms > since_ms
        )

    def named(self, since_ms: int) -> tuple[NamedFrom, ...]:
        """Attribution over time, from the onset on."""
        later = [each for each in self._named if each.from_ms > since_ms]
        before = [each for each in self._named if each.from_ms <= since_ms]
        return (*(replace(each, from_ms=since_ms) for each in before[-1:]), *later)
