"""What a bad network does to a caller's 20 ms frames: bursts of loss, jitter and reordering."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

OVERTAKEN_S = 0.03  # held back by one and a half frames, one arrives behind its successor


@dataclass(frozen=True, slots=True)
class LineDamage:
    """All zero is a perfect line."""

    loss_percent: float = 0.0
    burst: int = 1  # mean length of a run of lost frames
    jitter_ms: float = 0.0
    reorder_percent: float = 0.0
    seed: int = 0

    @property
    def is_any(self) -> bool:
        """Whether anything is damaged at all."""
        return self.loss_percent > 0 or self.jitter_ms > 0 or self.reorder_percent > 0

    def for_call(self, number: int) -> LineDamage:
        """The same line for another call, damaged at other moments."""
        return replace(self, seed=self.seed + number)

    def delays(self, overtaken_s: float = OVERTAKEN_S) -> Iterator[float | None]:
        """For each next frame how long the line holds it back, seconds; None: it is lost.

        Loss is a Gilbert chain: runs of `burst` frames on average, `loss_percent` in the long run.
        """
        chance = random.Random(self.seed)
        loss = self.loss_percent / 100
        # Above half, runs cannot be as short as asked: the rate goes first.
        leave_bad = min(1 / self.burst, (1 - loss) / loss) if loss > 0 else 1.0
        enter_bad = leave_bad * loss / (1 - loss) if loss < 1 else 1.0
        bad = False
        while True:
            bad = chance.random() >= leave_bad if bad else chance.random() < enter_bad
            if bad:
                yield None
                continue
            delay_s = chance.uniform(0, self.jitter_ms / 1000)
            if chance.random() < self.reorder_percent / 100:
                delay_s += overtaken_s
            yield delay_s


@dataclass(frozen=True, slots=True)
class Departure:
    """When a frame leaves for the server."""

    at_s: float
    frame: int


def departures(frames: int, frame_s: float, damage: LineDamage) -> list[Departure]:
    """The schedule of a whole call, in sending order; lost frames are absent."""
    sent = [
        Departure(index * frame_s + delay_s, index)
        for index, delay_s in zip(range(frames), damage.delays(1.5 * frame_s), strict=False)
        if delay_s is not None
    ]
    return sorted(sent, key=lambda departure: departure.at_s)
