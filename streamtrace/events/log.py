"""A call's own log of events: appended to, read by cursor, bounded."""

from __future__ import annotations

from collections import deque
from itertools import islice

from streamtrace.events.wire import CloudEvent, stream_gap

MOST_EVENTS = 512  # a leg's scores of four minutes; some 3.5 MiB of a call's memory when full


class EventLog:
    """Reading on from the last sequence read gives each event once, in order.

    Sequence numbers begin at 1, so that 0 is the cursor before all. When the log is full its
    oldest event goes; a reader whose cursor is older is told so by a `stream.gap.v1`.
    """

    def __init__(self, most: int = MOST_EVENTS) -> None:
        if most < 1:
            raise ValueError(f"most={most}: want room for one event at least")
        self._events: deque[CloudEvent] = deque(maxlen=most)

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
        self._events.append(event)

    def after(self, sequence: int, limit: int) -> list[CloudEvent]:
        """Up to `limit` events behind the cursor, with the gap in front if some are gone."""
        if not self._events or sequence >= self.newest:
            return []
        sequence = max(sequence, 0)
        missed = self.oldest - 1 - sequence
        if missed <= 0:
            skip = sequence + 1 - self.oldest
            return list(islice(self._events, skip, skip + max(limit, 0)))
        head = self._events[0]
        gap = stream_gap(
            call_id=head.subject,
            external_id=head.data.external_id,
            first=sequence + 1,
            last=self.oldest - 1,
            time=head.time,
        )
        return [gap, *islice(self._events, max(limit - 1, 0))][: max(limit, 0)]
