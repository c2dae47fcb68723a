"""`alert.opened.v1`, `alert.updated.v1` and `alert.closed.v1` on the wire."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, TypeAdapter

from streamtrace.events.alerts import (
    Alert,
    AlertAction,
    AlertEvidence,
    AlertState,
    AuditEntry,
    Disposition,
    Severity,
)
from streamtrace.events.log import WireEvent
from streamtrace.events.payloads import EventData, HeartbeatData, StreamGapData
from streamtrace.events.wire import CloudEvent, HeartbeatEvent, StreamGapEvent, padded, stamp
from streamtrace.values import Leg

SOURCE, SUBJECT = "/v1/alerts", "alerts"  # of what is about none of them


class AlertFields(EventData, frozen=True):
    """An alert, wherever it is told of.

    `version` is what a change has to name in `If-Match`; of two tellings the higher one holds.
    """

    version: int
    call_id: str
    line: str | None
    leg: Leg
    policy: str
    state: AlertState
    severity: Severity
    is_withdrawn: bool
    is_call_over: bool
    assignee: str | None
    disposition: Disposition | None
    note: str | None
    opened_at: str = Field(json_schema_extra={"format": "date-time"})
    changed_at: str = Field(json_schema_extra={"format": "date-time"})
    evidence: AlertEvidence


class AlertData(AlertFields, frozen=True):
    """The alert as it is behind this event, and what made it so."""

    alert_id: str
    action: AlertAction
    actor: str


class AlertOpenedEvent(CloudEvent, frozen=True):
    """`alert.opened.v1`."""

    type: Literal["alert.opened.v1"] = "alert.opened.v1"
    data: AlertData


class AlertUpdatedEvent(CloudEvent, frozen=True):
    """`alert.updated.v1`: by its call, or by a person."""

    type: Literal["alert.updated.v1"] = "alert.updated.v1"
    data: AlertData


class AlertClosedEvent(CloudEvent, frozen=True):
    """`alert.closed.v1`: dismissed or resolved; nothing follows but late news of its call."""

    type: Literal["alert.closed.v1"] = "alert.closed.v1"
    data: AlertData


AnyAlertEvent: TypeAlias = Annotated[
    AlertOpenedEvent | AlertUpdatedEvent | AlertClosedEvent, Field(discriminator="type")
]

ALERT_EVENT: TypeAdapter[AnyAlertEvent] = TypeAdapter(AnyAlertEvent)
"""Reads alert events back."""


def alert_event(alert: Alert, entry: AuditEntry, *, sequence: int) -> AnyAlertEvent:
    """The change in its envelope; `sequence` is the feed's."""
    at: dict[str, Any] = {
        "id": f"{alert.id}-{alert.version}",
        "source": f"/v1/alerts/{alert.id}",
        "subject": alert.id,
        "time": stamp(entry.at),
        "sequence": padded(sequence),
        "data": AlertData(
            **fields_of(alert), alert_id=alert.id, action=entry.action, actor=entry.actor
        ),
    }
    if entry.action is AlertAction.OPEN:
        return AlertOpenedEvent(**at)
    if not alert.is_open and entry.before is not entry.after:
        return AlertClosedEvent(**at)
    return AlertUpdatedEvent(**at)


def fields_of(alert: Alert) -> dict[str, Any]:
    """The values of `AlertFields`."""
    values = {name: getattr(alert, name) for name in AlertFields.model_fields}
    return values | {"opened_at": stamp(alert.opened_at), "changed_at": stamp(alert.changed_at)}


def feed_gap(*, first: int, last: int, time: datetime) -> StreamGapEvent:
    """Says that `first` to `last` are gone; its own sequence is the cursor to go on from."""
    data = {"external_id": None, "from": padded(first), "to": padded(last)}
    return StreamGapEvent(
        source=SOURCE,
        subject=SUBJECT,
        id=f"alerts-gap-{first}-{last}",
        time=stamp(time),
        sequence=padded(last),
        data=StreamGapData.model_validate(data),
    )


def missed_in_feed(first: int, last: int, oldest: WireEvent) -> StreamGapEvent:
    """What the feed's memory has lost, in front of the oldest event in it."""
    time: str = json.loads(oldest.text)["time"]
    return feed_gap(first=first, last=last, time=datetime.fromisoformat(time))


def feed_heartbeat(*, sequence: int, time: datetime, event_id: str) -> HeartbeatEvent:
    """Says that the feed is alive behind `sequence`."""
    return HeartbeatEvent(
        source=SOURCE,
        subject=SUBJECT,
        id=event_id,
        time=stamp(time),
        sequence=padded(sequence),
        data=HeartbeatData(external_id=None),
    )
