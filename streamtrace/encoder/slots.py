"""Leases on encoder rows: a generation makes late answers harmless, a pin delays the next lease."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from streamtrace.errors import EngineFull


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to one row, until released; a late result for the last tenant cannot match."""

    row: int
    generation: int


class Slots:
    """Which rows are lent; a row is lent again only when nothing that reads it still runs.

    Pure: its owner calls it under a lock and resets the rows that it names.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._generation = [0] * count
        self._lent = [False] * count
        self._pinned = [False] * count
        self._free = deque(range(count))

    @property
    def in_use(self) -> int:
        """Rows that cannot be lent now: lent ones, and released ones that still run."""
        return self.count - len(self._free)

    def acquire(self) -> Lease:
        """Lend the row that has been free longest; raise `EngineFull` where there is none."""
        if not self._free:
            raise EngineFull(
                f"all {self.count} encoder slots are lent: try again when a call has ended, "
                "or raise engine.slots"
            )
        row = self._free.popleft()
        self._lent[row] = True
        return Lease(row, self._generation[row])

    def is_current(self, lease: Lease) -> bool:
        """Whether the lease still holds its row."""
        return self._lent[lease.row] and self._generation[lease.row] == lease.generation

    def release(self, lease: Lease) -> bool:
        """Take the row back; True where it is free now, so must be reset. Twice is harmless."""
        if not self.is_current(lease):
            return False
        self._lent[lease.row] = False
        self._generation[lease.row] += 1
        return self._free_if_idle(lease.row)

    def pin(self, lease: Lease) -> bool:
        """Keep the row from being lent again while a batch runs; False for a lease that is over."""
        if not self.is_current(lease):
            return False
        self._pinned[lease.row] = True
        return True

    def unpin(self, row: int) -> bool:
        """The batch is over; True where the row is free now, so must be reset."""
        self._pinned[row] = False
        return not self._lent[row] and self._free_if_idle(row)

    def is_pinned(self, row: int) -> bool:
        """Whether a batch that reads the row is running."""
        return self._pinned[row]

    def _free_if_idle(self, row: int) -> bool:
        if self._pinned[row]:
            return False
        self._free.append(row)
        return True
