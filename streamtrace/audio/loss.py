"""How much of a leg was lost, up to any position that decisions have reached."""

from __future__ import annotations

from collections import deque

from streamtrace.audio.steps import Gap


class LossMeter:
    """Answers depend on the position asked about, not on how far ahead audio has come in."""

    def __init__(self) -> None:
        self._passed = 0  # lost samples in gaps that all later questions lie behind
        self._ahead: deque[Gap] = deque()

    def add(self, gap: Gap) -> None:
        """Take a gap in; gaps come in order."""
        self._ahead.append(gap)

    def lost_before(self, sample: int) -> int:
        """Lost samples in front of `sample`; positions asked about never go back."""
        while self._ahead and self._ahead[0].end_sample <= sample:
            gap = self._ahead.popleft()
            self._passed += gap.end_sample - gap.start_sample
        if self._ahead and self._ahead[0].start_sample < sample:
            return self._passed + sample - self._ahead[0].start_sample
        return self._passed
