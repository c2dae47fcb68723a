"""Which steps run together, and when: pure, told the time by whoever asks."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

GOLDEN = 0.6180339887498949  # its multiples, less their whole parts, lie evenly in [0, 1)
TICK_S = 0.0006  # loops count in whole milliseconds and may wake us half a one early
RATE_MEMORY_S = 0.25  # over which arrivals are counted: about a step's period


@dataclass(frozen=True, slots=True)
class BatchRule:
    """When a batch fires: when its oldest step has waited its budget; on an idle device also when
    it is full, and at once where too little company is to be expected to be worth waiting for.
    """

    most: int  # rows in a batch
    budget_s: float = 0.0  # the longest that a step is held back for company
    worth_waiting_for: float = 2.0  # steps expected within the budget, below which nothing is held
    spread_s: float = 0.0  # over which a crowd is spread, each row always at its own place in it


class Schedule:
    """Rows whose next step is ready, oldest first; a row that runs waits for its own end.

    Law: whoever is added is taken once, within budget and spread of the moment when a device is
    free and all that were due before it are taken; never while the row runs. Nothing here sleeps:
    `next_look_s` says when it is worth asking again without anything having happened.
    """

    def __init__(self, rule: BatchRule) -> None:
        self.rule = rule
        self._due_s: dict[int, float] = {}  # of each waiting row, in order of arrival
        self._running: set[int] = set()
        self._batches = 0
        self._rate_hz = 0.0  # of arrivals
        self._rated_at_s = 0.0

    def __len__(self) -> int:
        """Steps that wait, those that run now not counted."""
        return len(self._due_s)

    @property
    def batches(self) -> int:
        """Batches that run now."""
        return self._batches

    @property
    def rows_running(self) -> int:
        """Rows in them."""
        return len(self._running)

    def add(self, row: int, now_s: float) -> float:
        """The row's next step is ready; it has no other one waiting -> its own `next_look_s`."""
        if row in self._due_s:
            raise ValueError(f"row {row} has a step waiting already")
        is_crowd = len(self._due_s) >= self.rule.most
        place = row * GOLDEN % 1.0
        self._due_s[row] = now_s + (self.rule.spread_s * place if is_crowd else 0.0)
        self._rate_hz = self._faded(now_s) + 1.0 / RATE_MEMORY_S
        self._rated_at_s = now_s
        return self._due_s[row] + self.rule.budget_s

    def remove(self, row: int) -> None:
        """Whoever waited has gone."""
        self._due_s.pop(row, None)

    def take(self, now_s: float, *, others: int, at_once: bool = False) -> list[int]:
        """The rows of the batch that fires now; none if it is better to wait.

        They run until `done`. `others` are the rows that could still come along: neither waiting
        nor running. With `at_once` nothing is held back.
        """
        ready = [
            row
            for row, due_s in self._due_s.items()
            if row not in self._running and (at_once or due_s <= now_s + TICK_S)
        ]
        if not ready or not (at_once or self._fires(ready, now_s, others)):
            return []
        taken = sorted(ready, key=self._due_s.__getitem__)[: self.rule.most]
        for row in taken:
            del self._due_s[row]
        self._running.update(taken)
        self._batches += 1
        return taken

    def done(self, rows: Iterable[int]) -> None:
        """A batch that was taken has run."""
        self._running.difference_update(rows)
        self._batches -= 1

    def next_look_s(self) -> float | None:
        """When waiting alone makes the next batch fire; None if nothing can step now."""
        looks = [
            due_s + self.rule.budget_s
            for row, due_s in self._due_s.items()
            if row not in self._running
        ]
        return min(looks, default=None)

    def fires_early(self, now_s: float, *, others: int) -> bool:
        """Whether whoever was added just now can make a batch fire before the next look is due.

        Most can not: they join those who wait, and the device waits with them.
        """
        is_full = len(self._due_s) >= self.rule.most
        return not self._batches and (is_full or self._is_lonely(now_s, others))

    def _fires(self, ready: list[int], now_s: float, others: int) -> bool:
        if len(ready) >= self.rule.most and not self._batches:
            return True
        oldest_s = min(self._due_s[row] for row in ready)
        if now_s + TICK_S >= oldest_s + self.rule.budget_s:
            return True
        return not self._batches and self._is_lonely(now_s, others)

    def _is_lonely(self, now_s: float, others: int) -> bool:
        """Too little company is on its way to be worth waiting for."""
        # A leg that is fed faster than real time comes often, and is no company for itself.
        expected = min(self._faded(now_s) * self.rule.budget_s, others)
        return expected < self.rule.worth_waiting_for

    def _faded(self, now_s: float) -> float:
        return self._rate_hz * math.exp(-max(0.0, now_s - self._rated_at_s) / RATE_MEMORY_S)
