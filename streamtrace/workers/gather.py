"""Joins a leg's audio up to the end of an encoder step: what comes before decides nothing.

The process that batches then takes one record a step and leg instead of twelve. Chunking changes no
result (see `audio/steps.py`), and no decision is later for it: the chunk that completes a step goes
at once, with all that waited for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from streamtrace.ports import LegAudio, SourceItem
from streamtrace.values import STEP_SAMPLES, AudioChunk, Leg


@dataclass(slots=True)
class _Held:
    """Audio of a leg without a hole in it."""

    parts: list[LegAudio] = field(default_factory=list[LegAudio])

    def joins(self, audio: LegAudio) -> bool:
        return not self.parts or self.parts[-1].chunk.end_sample == audio.chunk.start_sample

    def completes_a_step(self) -> bool:
        start, end = self.parts[0].chunk.start_sample, self.parts[-1].chunk.end_sample
        return start // STEP_SAMPLES != end // STEP_SAMPLES

    def release(self) -> list[LegAudio]:
        """All of it as one, received when its last sample was."""
        parts, self.parts = self.parts, []
        if len(parts) < 2:
            return parts
        first, last = parts[0], parts[-1]
        pcm = np.concatenate([part.chunk.pcm for part in parts])
        chunk = AudioChunk(first.chunk.start_sample, pcm)
        return [LegAudio(first.leg, chunk, last.received_at_s, first.gap_cause)]


class Gatherer:
    """One call's items in, the same story out; whatever is no audio lets nothing wait."""

    def __init__(self) -> None:
        self._held: dict[Leg, _Held] = {}

    def feed(self, item: SourceItem) -> list[SourceItem]:
        """What goes now."""
        if not isinstance(item, LegAudio):
            return [*self.release(), item]
        held = self._held.setdefault(item.leg, _Held())
        going = [] if held.joins(item) else held.release()
        held.parts.append(item)
        if held.completes_a_step():
            going += held.release()
        return [*going]

    def release(self) -> list[SourceItem]:
        """All that waits."""
        return [audio for held in self._held.values() for audio in held.release()]
