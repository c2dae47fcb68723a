"""What is posted: the event as it is shown, with its time by Standard Webhooks' name too."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Literal

from streamtrace.events.payloads import EventData
from streamtrace.events.wire import CloudEvent, padded, stamp


class PingData(EventData, frozen=True):
    """Says which endpoint this is."""

    webhook: str


class PingEvent(CloudEvent, frozen=True):
    """`webhook.ping.v1`: somebody tries whether an endpoint hears us."""

    type: Literal["webhook.ping.v1"] = "webhook.ping.v1"
    data: PingData


def body_of(text: str) -> tuple[str, bytes]:
    """An event's id, and what is posted of it."""
    event: dict[str, Any] = json.loads(text)
    event["timestamp"] = event["time"]  # CloudEvents takes it as an extension
    body = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    return event["id"], body.encode()


def ping(name: str, *, time: datetime, event_id: str) -> PingEvent:
    """For `POST /v1/webhooks/{name}/test`."""
    return PingEvent(
        id=event_id,
        source=f"/v1/webhooks/{name}",
        subject=name,
        time=stamp(time),
        sequence=padded(0),
        data=PingData(external_id=None, webhook=name),
    )
