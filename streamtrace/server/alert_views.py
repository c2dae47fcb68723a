"""Alerts and their audit as the REST interface says them."""

from __future__ import annotations

from typing import Any

from streamtrace.alerts.alert import possible
from streamtrace.events.alert_views import AlertView, AuditView
from streamtrace.events.alert_wire import fields_of
from streamtrace.events.alerts import Alert, AuditEntry
from streamtrace.events.wire import stamp


def alert_view(alert: Alert) -> AlertView:
    """What is said about it."""
    return AlertView(**fields_of(alert), id=alert.id, actions=possible(alert))


def audit_view(entry: AuditEntry) -> AuditView:
    """What is said about it."""
    values: dict[str, Any] = {name: getattr(entry, name) for name in AuditView.model_fields}
    values["at"] = stamp(entry.at)
    return AuditView(**values)
