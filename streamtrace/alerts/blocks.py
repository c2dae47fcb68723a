"""Windows that share no audio: what may be taken for new evidence."""

from __future__ import annotations

from dataclasses import dataclass

from streamtrace.values import Segment

LEAST_SPEECH_MS = 1_500  # in a block; the first one may close as soon as so much was heard


@dataclass(frozen=True, slots=True)
class Block:
    """A window that no earlier block overlaps."""

    segment: Segment
    probability: float  # of its window decision


class Blocks:
    """Windows overlap by all but a hop: each stretch of audio may speak once."""

    def __init__(self) -> None:
        self._end_ms = -1

    def take(self, segment: Segment, probability: float) -> Block | None:
        """The window as a block, if it has speech enough and none of it has spoken before."""
        if segment.speech_ms < LEAST_SPEECH_MS or segment.start_ms < self._end_ms:
            return None
        self._end_ms = segment.end_ms
        return Block(segment, probability)
