"""A call's own log of events: appended to, read by cursor, bounded."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

from streamtrace.events.wire import CallScoreEvent, CloudEvent, stream_gap
from streamtrace.values import Leg

MOST_EVENTS = 400  # a leg's scores of three minutes; 1 MB of a call's memory when full


@dataclass(frozen=True, slots=True)
class WireEvent:
    """An event as it goes over the wire, encoded once for all who read it.

    Beside its text is what readers choose by; the event itself would take three times the memory.
    """

    number: int  # its sequence
    type: str
    leg: Leg | None  # of a score
    is_final: bool  # of a score
    text: str  # JSON

    @classmethod
    def of(cls, event: CloudEvent) -> WireEvent:
        """The event, encoded."""
        leg, is_final = None, False
        if isinstance(event, CallScoreEvent):
            leg, is_final = event.data.leg, event.data.is_final
        return cls(event.number, event.type, leg, is_final, event.to_json())

    @property
    def is_score(self) -> bool:
        """Whether it is a decision."""
        return self.leg is not None


class EventLog:
    """Reading on from the last sequence read gives each event once, in order.

    Sequence numbers begin at 1, so that 0 is the cursor before all. They rise, and one is left out
    where an outdated score gave way on a slow disk. When the log is full its oldest event goes; a
    reader whose cursor is older is told so by a `stream.gap.v1`.
    """

    def __init__(
        self,
        most: int = MOST_EVENTS,
        *,
        forgotten: int = 0,
        gap: Callable[[int, int, WireEvent], CloudEvent] | None = None,
    ) -> None:
        if most < 1:
            raise ValueError(f"most={most}: want room for one event at least")
        self._events: deque[WireEvent] = deque(maxlen=most)
        self._forgotten = forgotten
        self._gap = gap or _missed  # from one sequence to another, in front of the oldest event

    @property
    def forgotten(self) -> int:
        """The newest sequence that is not held any more; 0 where all are."""
        return self._forgotten

    @property
    def oldest(self) -> int:
        """The sequence of the oldest event kept; 0 where none is."""
        return self._events[0].number if self._events else 0

    @property
    def newest(self) -> int:
        """The sequence of the newest event, held or not; 0 before the first."""
        return self._events[-1].number if self._events else self._forgotten

    def append(self, event: WireEvent) -> None:
        """Keep the event, which is newer than all."""
        if event.number <= self.newest:
            raise ValueError(f"event {event.number} came behind {self.newest}")
        if len(self._events) == self._events.maxlen:
            self._forgotten = self._events[0].number
        self._events.append(event)

    def after(self, sequence: int, limit: int) -> list[WireEvent]:
        """Up to `limit` events behind the cursor, with the gap in front if some are gone."""
        if not self._events or sequence >= self.newest:
            return []
        sequence = max(sequence, 0)
        if sequence >= self._forgotten:
            skip = bisect_right(self._events, sequence, key=_number)
            return list(islice(self._events, skip, skip + max(limit, 0)))
        gap = WireEvent.of(self._gap(sequence + 1, self._forgotten, self._events[0]))
        return [gap, *islice(self._events, max(limit - 1, 0))][: max(limit, 0)]


def _missed(first: int, last: int, oldest: WireEvent) -> CloudEvent:
    head = json.loads(oldest.text)
    return stream_gap(
        call_id=head["subject"],
        external_id=head["data"]["external_id"],
        first=first,
        last=last,
        time=head["time"],
    )


def _number(event: WireEvent) -> int:
    return event.number
