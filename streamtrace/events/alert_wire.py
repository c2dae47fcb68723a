"""`alert.opened.v1`, `alert.updated.v1` and `alert.closed.v1` on the wire."""

from __future__ import annotations

from datetime import UTC, datetime
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
from streamtrace.events.payloads import EventData
from streamtrace.events.wire import CloudEvent, padded
from streamtrace.values import Leg


class AlertData(EventData, frozen=True):
    """The alert as it is behind this event, and what made it so.

    `version` is what a change has to name in `If-Match`; of two events the higher one holds.
    """

    alert_id: str
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
    action: AlertAction
    actor: str
    evidence: AlertEvidence


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
        "time": _stamp(entry.at),
        "sequence": padded(sequence),
        "data": AlertData(
            external_id=alert.external_id,
            alert_id=alert.id,
            version=alert.version,
            call_id=alert.call_id,
            line=alert.line,
            leg=alert.leg,
            policy=alert.policy,
            state=alert.state,
            severity=alert.severity,
            is_withdrawn=alert.is_withdrawn,
            is_call_over=alert.is_call_over,
            assignee=alert.assignee,
            disposition=alert.disposition,
            note=alert.note,
            opened_at=_stamp(alert.opened_at),
            changed_at=_stamp(alert.changed_at),
            action=entry.action,
            actor=entry.actor,
            evidence=alert.evidence,
        ),
    }
    if entry.action is AlertAction.OPEN:
        return AlertOpenedEvent(**at)
    if not alert.is_open and entry.before is not entry.after:
        return AlertClosedEvent(**at)
    return AlertUpdatedEvent(**at)


def _stamp(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
