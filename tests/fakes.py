"""Stand-ins that implement the ports: a clock turned by hand, a sink that remembers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

EventT = TypeVar("EventT")


class FakeClock:
    """Time stands still until a test turns it."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.started = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    def advance(self, seconds: float) -> None:
        """Turn both hands."""
        self.seconds += seconds

    def now(self) -> float:
        """Monotonic seconds."""
        return self.seconds

    def utc(self) -> datetime:
        """The wall time."""
        return self.started + timedelta(seconds=self.seconds - 1000.0)


class ListSink(Generic[EventT]):
    """Keeps what was published, in order."""

    def __init__(self) -> None:
        self.events: list[EventT] = []

    def publish(self, event: EventT) -> None:
        """Remember the event."""
        self.events.append(event)
