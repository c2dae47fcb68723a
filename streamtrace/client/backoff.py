"""How long to wait before a server is tried again."""

from __future__ import annotations

from dataclasses import dataclass

MOST_DOUBLINGS = 32


@dataclass(frozen=True, slots=True)
class Backoff:
    """Twice as long after each failure, up to a bound, and spread so that nobody comes together."""

    first_s: float = 0.25
    most_s: float = 10.0

    def wait_s(self, failures: int, chance: float) -> float:
        """After so many in a row, from 1 up; `chance` in [0, 1) picks from the upper half."""
        whole_s = min(self.most_s, self.first_s * 2 ** min(failures - 1, MOST_DOUBLINGS))
        return whole_s * (1 + chance) / 2
