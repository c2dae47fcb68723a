"""What is written: rows of the tables, gathered into batches that are kept as a whole or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from streamtrace.errors import StoreFailed
from streamtrace.events.log import WireEvent

LIVE, ENDED, LEAVING = "live", "ended", "leaving"  # of a call; the last is being deleted


class RowRefused(StoreFailed):
    """The database is well, and will never take this."""


@dataclass(frozen=True, slots=True)
class CallRow:
    """A call as its first event left it, and then as its last one did."""

    id: str
    external_id: str | None
    line: str | None
    protocol: str
    state: str
    started: str
    ended: str | None = None
    reason: str | None = None
    last_sequence: int = 0  # of an ended call
    bytes: int = 0  # that its events' texts take, of an ended call
    legs: str = "[]"  # JSON: each leg and its last decision, of an ended call

    def values(self) -> dict[str, Any]:
        """For the statement. A far side's names may hold what no database takes as text."""
        return {name: plain(getattr(self, name)) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event as it goes over the wire; beside its text is what it is chosen by."""

    call_id: str
    event: WireEvent

    def values(self) -> dict[str, Any]:
        """For the statement."""
        event = self.event
        return {
            "call_id": self.call_id,
            "sequence": event.number,
            "type": event.type,
            "leg": event.leg,
            "is_final": event.is_final,
            "text": event.text,
        }


@dataclass(frozen=True, slots=True)
class AlertRow:
    """An alert as it is now; beside its text is what it is looked for by."""

    id: str
    call_id: str
    version: int
    state: str
    severity: str
    line: str | None
    leg: str
    is_call_over: bool
    text: str  # JSON

    def values(self) -> dict[str, Any]:
        """For the statement."""
        return {name: plain(getattr(self, name)) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class TransitionRow:
    """What was done to an alert."""

    alert_id: str
    version: int  # that it led to
    at: str
    actor: str
    text: str  # JSON

    def values(self) -> dict[str, Any]:
        """For the statement."""
        return {name: plain(getattr(self, name)) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class AlertEventRow:
    """An event of the alerts' feed, as it goes over the wire."""

    alert_id: str
    event: WireEvent

    def values(self) -> dict[str, Any]:
        """For the statement."""
        event = self.event
        return {
            "sequence": event.number,
            "alert_id": self.alert_id,
            "type": event.type,
            "text": event.text,
        }


@dataclass(frozen=True, slots=True)
class AlertRows:
    """What changes of alerts leave behind.

    `forget` is for a commit that may have been made though nobody heard of it: what lies behind
    this sequence of the feed, and behind these versions, was never shown.
    """

    alerts: Sequence[AlertRow] = ()
    transitions: Sequence[TransitionRow] = ()
    events: Sequence[AlertEventRow] = ()
    forget: tuple[int, Mapping[str, int]] | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """One transaction."""

    calls: Sequence[CallRow] = ()
    events: Sequence[EventRow] = ()
    alerts: AlertRows | None = None


def joined(changes: Sequence[AlertRows]) -> AlertRows:
    """What several changes leave behind, one after the other."""
    alerts = {row.id: row for change in changes for row in change.alerts}
    return AlertRows(
        list(alerts.values()),
        [row for change in changes for row in change.transitions],
        [row for change in changes for row in change.events],
    )


def plain(value: Any) -> Any:
    """Text as every database takes it, to be written or looked for; anything else as it is."""
    if not isinstance(value, str):
        return value
    return value.encode("utf-8", "replace").decode().replace("\0", "?")
