"""Whether one more call fits, judged by what the machine did lately: pure, told what was measured.

A leg costs little when it opens and its full share a moment later, so whoever looks at the load
alone takes a whole burst. Newcomers are therefore counted in advance.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

MEMORY_S = 1.0  # over which the load is averaged
FIRST_S = 0.25  # that the first measurement is believed to have taken
NEW_FOR_S = 2.0  # how long a leg is new: its share does not show in the average yet
FEW_LEGS = 16  # with fewer, what else runs hides what one leg costs
LEAST_SHARE = 1 / 1000  # of the machine, that a leg is believed to cost at least
LIKELY_SHARE = 1 / 400  # the same while too few are there to tell
LATE_MS = 240.0  # a step that is answered later than this has met the next one


@dataclass(frozen=True, slots=True)
class Load:
    """What was measured since the last time; shares are in [0, 1], of what there is."""

    loop: float  # of one core, by the thread of the event loop
    encoder: float  # of the encoder's threads' time
    cores: float  # of all cores, by this process
    late_ms: float  # how late the slowest tenth of steps was answered; 0 without any

    @property
    def busiest(self) -> float:
        """What would be full first."""
        return max(self.loop, self.encoder, self.cores)


class Admission:
    """Calls are taken while the load expected with them stays under `max_load`."""

    def __init__(self, max_load: float) -> None:
        self.max_load = max_load
        self.load = 0.0  # the busiest part's average
        self.late_ms = 0.0
        self._share = LIKELY_SHARE
        self._noted_at_s: float | None = None
        self._new: deque[float] = deque()  # when each newcomer was taken

    def note(self, load: Load, *, legs: int, now_s: float) -> None:
        """Take a measurement in; `legs` were there while it was made."""
        # Before the first measurement a machine counts as idle: starting up is no load of calls.
        since_s = FIRST_S if self._noted_at_s is None else now_s - self._noted_at_s
        kept = math.exp(-max(0.0, since_s) / MEMORY_S)
        self.load = kept * self.load + (1 - kept) * load.busiest
        self.late_ms = kept * self.late_ms + (1 - kept) * load.late_ms
        self._noted_at_s = now_s
        settled = legs - len(self._still_new(now_s))
        if settled >= FEW_LEGS:
            self._share = max(LEAST_SHARE, self.load / settled)
        elif legs < FEW_LEGS:
            self._share = LIKELY_SHARE

    def taken(self, now_s: float) -> None:
        """A leg was opened."""
        self._new.append(now_s)

    def expected(self, now_s: float, *, coming: int = 0) -> float:
        """The load with one more call, when all newcomers cost what they will.

        `coming` have connected and not begun.
        """
        return self.load + self._share * (len(self._still_new(now_s)) + coming + 1)

    def refusal(self, now_s: float, *, coming: int = 0) -> str | None:
        """Why one more call cannot be taken now; None if it can."""
        # An idle machine that is late has other troubles than calls.
        if self.late_ms > LATE_MS and self.load > self.max_load / 2:
            return f"decisions are {self.late_ms:.0f} ms late"
        expected = self.expected(now_s, coming=coming)
        if expected > self.max_load:
            return f"{expected:.0%} of this machine would be busy, {self.max_load:.0%} is the limit"
        return None

    def _still_new(self, now_s: float) -> deque[float]:
        while self._new and now_s - self._new[0] > NEW_FOR_S:
            self._new.popleft()
        return self._new
