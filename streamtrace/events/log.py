"""A call's own log of events: appended to, read by cursor, bounded."""

from __future__ import annotations

import json
from collections import deque
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

    Sequence numbers begin at 1, so that 0 is the cursor before all. When the log is full its
    oldest event goes; a reader whose cursor is older is told so by a `stream.gap.v1`.
    """

    def __init__(self, most: int = MOST_EVENTS) -> None:
        if most < 1:
            raise ValueError(f"most={most}: want room for one event at least")
        self._events: deque[WireEvent] = deque(maxlen=most)

    @property
    def oldest(self) -> int:
        """The sequence of the oldest event kept; 0 before the first event."""
        return self._events[0].number if self._events else 0

    @property
    def newest(self) -> int:
        """The sequence of the newest event; 0 before the first."""
        return self._events[-1].number if self._events else 0

    @property
    def next_sequence(self) -> int:
        """What the next event's sequence has to be."""
        return self.newest + 1

    def append(self, event: CloudEvent) -> None:
        """Keep the event, whose sequence is `next_sequence`."""
        if event.number != self.next_sequence:
            raise ValueError(f"event {event.number} came where {self.next_sequence} was due")
        self._events.append(WireEvent.of(event))

    def after(self, sequence: int, limit: int) -> list[WireEvent]:
        """Up to `limit` events behind the cursor, with the gap in front if some are gone."""
        if not self._events or sequence >= self.newest:
            return []
        sequence = max(sequence, 0)
        missed = self.oldest - 1 - sequence
        if missed <= 0:
            skip = sequence + 1 - self.oldest
            return list(islice(self._events, skip, skip + max(limit, 0)))
        head = json.loads(self._events[0].text)
        gap = stream_gap(
            call_id=head["subject"],
            external_id=head["data"]["external_id"],
            first=sequence + 1,
            last=self.oldest - 1,
            time=head["time"],
        )
        return [WireEvent.of(gap), *islice(self._events, max(limit - 1, 0))][: max(limit, 0)]
