"""What feeds give, beside the events of `streamtrace.events`, and how texts are read as them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, TypeAlias

from pydantic import ValidationError

from streamtrace.errors import AnswerUnreadable
from streamtrace.events.alert_wire import (
    ALERT_EVENT,
    AlertClosedEvent,
    AlertOpenedEvent,
    AlertUpdatedEvent,
)
from streamtrace.events.views import CallsFrame, CallView
from streamtrace.events.wire import (
    EVENT,
    HEARTBEAT,
    CallEndedEvent,
    CallGapEvent,
    CallMediaEvent,
    CallScoreEvent,
    CallStartedEvent,
    HeartbeatEvent,
    StreamGapEvent,
)


@dataclass(frozen=True, slots=True)
class UnknownEvent:
    """An event that a newer server says and this version cannot read; `data` is as it came."""

    id: str
    type: str
    number: int  # its sequence
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class FeedRestarted:
    """The server has lost what it had told up to `cursor`; what it has comes from its beginning."""

    cursor: int


@dataclass(frozen=True, slots=True)
class CallsChanged:
    """Calls as they are now; with `is_whole` the first of a connection, the newest of all."""

    calls: tuple[CallView, ...]
    is_whole: bool


CallItem: TypeAlias = (
    CallStartedEvent
    | CallMediaEvent
    | CallGapEvent
    | CallScoreEvent
    | CallEndedEvent
    | StreamGapEvent
    | UnknownEvent
)
AlertItem: TypeAlias = (
    AlertOpenedEvent
    | AlertUpdatedEvent
    | AlertClosedEvent
    | StreamGapEvent
    | FeedRestarted
    | UnknownEvent
)


def read_call_item(text: str | bytes) -> CallItem | None:
    """An event of a call; None for a heartbeat."""
    try:
        event = EVENT.validate_json(text)
    except ValidationError:
        return _unknown(text)
    return None if isinstance(event, HeartbeatEvent) else event


def read_alert_item(text: str | bytes) -> AlertItem | None:
    """An event of the alerts' feed; None for a heartbeat."""
    try:
        return ALERT_EVENT.validate_json(text)
    except ValidationError:
        other = read_call_item(text)  # both feeds share what is about the stream itself
        return other if isinstance(other, StreamGapEvent | UnknownEvent | None) else _unknown(text)


def read_frame(text: str | bytes) -> tuple[CallView, ...] | None:
    """The calls of a frame; None for a heartbeat."""
    try:
        told: dict[str, Any] = json.loads(text)
        return None if told.get("type") == HEARTBEAT else tuple(CallsFrame(**told).calls)
    except (ValueError, TypeError, AttributeError):
        raise AnswerUnreadable("/v1/calls") from None


def _unknown(text: str | bytes) -> UnknownEvent:
    try:
        told: dict[str, Any] = json.loads(text)
        return UnknownEvent(told["id"], told["type"], int(told["sequence"]), told.get("data", {}))
    except (ValueError, TypeError, LookupError):
        raise AnswerUnreadable("an event") from None
