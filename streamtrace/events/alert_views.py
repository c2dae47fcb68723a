"""What the REST interface says about alerts, and what it takes from people."""

from __future__ import annotations

from pydantic import BaseModel, Field

from streamtrace.events.alert_wire import AlertFields
from streamtrace.events.alerts import (
    MOST_NAME,
    MOST_NOTE,
    AlertAction,
    AlertState,
    Disposition,
)


class AlertView(AlertFields, frozen=True):
    """An alert as it is now; `actions` is what may be done to it."""

    id: str
    actions: list[AlertAction]


class AlertPage(BaseModel, frozen=True):
    """Alerts, those of the newest calls first."""

    alerts: list[AlertView]
    next: str | None = Field(None, description="Ask with `after` this for older ones.")
    sequence: str = Field(
        description="The feed's newest when this was asked: follow it with `after` this."
    )
    feed: str = Field(
        "",
        description=(
            "Whose sequence that is. Another one than before: what was told is lost, "
            "and all sequences begin anew."
        ),
    )


class AuditView(BaseModel, frozen=True):
    """Who did what to which version, and what it was before and after."""

    version: int = Field(description="That it led to.")
    at: str = Field(json_schema_extra={"format": "date-time"})
    actor: str
    action: AlertAction
    before: AlertState | None
    after: AlertState
    assignee: str | None
    disposition: Disposition | None
    note: str | None


class AuditTrail(BaseModel, frozen=True):
    """All that was done to an alert, oldest first."""

    entries: list[AuditView]


class AlertDecision(BaseModel, frozen=True, extra="forbid"):
    """What a person does. Whoever dismisses says why, in `note`."""

    actor: str = Field(
        "",
        max_length=MOST_NAME,
        description="Who it is. Where access tokens are set the token's name is written.",
    )
    assignee: str | None = Field(None, max_length=MOST_NAME)
    disposition: Disposition | None = None
    note: str | None = Field(None, max_length=MOST_NOTE)
