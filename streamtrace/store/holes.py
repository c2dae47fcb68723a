"""What was shown and could not be kept: which calls lack which events, until they can be written.

The events themselves are in each call's own log in memory, as far as that reaches back; what it has
lost by then is marked there by a `stream.gap.v1`. So a hole costs no memory, but for ended calls,
which nobody else holds: of the oldest of them the last words alone are kept, with a gap in front.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from streamtrace.events.log import EventLog
from streamtrace.store.rows import ENDED, Batch, CallRow, EventRow

MOST_WHOLE = 256  # ended calls, of which everything is held
MOST_ENDED = 10_000  # ended calls in all; some 8 kB each


class KeptCall(Protocol):
    """A call whose events are kept."""

    @property
    def id(self) -> str:
        """Its id."""
        ...

    @property
    def log(self) -> EventLog:
        """What was shown of it, as far back as memory reaches."""
        ...


@dataclass(frozen=True, slots=True)
class LastWords:
    """What is left of an ended call."""

    id: str
    log: EventLog


@dataclass(slots=True)
class Hole:
    """Everything from `first` on is not kept; `row` is the newest that was to be written."""

    call: KeptCall
    first: int
    row: CallRow | None = None

    @property
    def is_ended(self) -> bool:
        """Nothing more comes."""
        return self.row is not None and self.row.state == ENDED

    @property
    def is_whole(self) -> bool:
        """All is held that the call's own log holds."""
        return not isinstance(self.call, LastWords)

    def batch(self) -> Batch:
        """What fills it: what there is, behind a gap where something is lost."""
        log, id = self.call.log, self.call.id
        events = log.after(self.first - 1, log.newest - self.first + 2)
        return Batch([] if self.row is None else [self.row], [EventRow(id, e) for e in events])

    def keep_last_words(self) -> None:
        """Finals and the end; let the rest go."""
        events = [row.event for row in self.batch().events]
        tail = [event for event in events if event.is_final or event is events[-1]]
        short = EventLog(len(tail), forgotten=tail[0].number - 1)
        for event in tail:
            short.append(event)
        self.call = LastWords(self.call.id, short)


class Holes:
    """One hole a call, oldest first."""

    def __init__(self) -> None:
        self._holes: dict[str, Hole] = {}
        self._ended = 0

    def __len__(self) -> int:
        return len(self._holes)

    def __iter__(self) -> Iterator[Hole]:
        return iter(tuple(self._holes.values()))

    def note(self, call: KeptCall, number: int, row: CallRow | None) -> None:
        """This event was shown, or is about to be, and is not kept."""
        hole = self._holes.get(call.id)
        if hole is None:
            self._holes[call.id] = hole = Hole(call, number)
        if row is not None:
            hole.row = row
            if hole.is_ended:
                self._has_ended()

    def put_back(self, older: Holes) -> None:
        """Those could not be written after all."""
        newer, self._holes, self._ended = self._holes, {}, 0
        for hole in (*older, *newer.values()):
            known = self._holes.setdefault(hole.call.id, hole)
            if known is not hole and hole.row is not None:
                known.row = hole.row
        for hole in self:
            if hole.is_ended:
                self._has_ended()

    def _has_ended(self) -> None:
        """The hole is the newest of the ended: see that they do not grow without end."""
        self._ended += 1
        ended = [hole for hole in self if hole.is_ended] if self._ended > MOST_WHOLE else []
        whole = [hole for hole in ended if hole.is_whole]
        for hole in whole[:-MOST_WHOLE]:
            hole.keep_last_words()
        for hole in ended[:-MOST_ENDED]:
            del self._holes[hole.call.id]
            self._ended -= 1
