"""Server-Sent Events: the id resumes, and a heartbeat does not move it."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from streamtrace.events.log import WireEvent
from streamtrace.events.wire import heartbeat
from streamtrace.sinks.sse import sse_message
from tests.sinks.events import started


def test_an_event() -> None:
    event = started(7)
    lines = sse_message(WireEvent.of(event)).split("\n")
    assert lines[0] == f"id: {event.sequence}"
    assert lines[1] == "event: call.started.v1"
    assert json.loads(lines[2].removeprefix("data: ")) == event.to_dict()
    assert lines[3:] == ["", ""]


def test_a_heartbeat() -> None:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    beat = heartbeat(call_id="c", external_id=None, sequence=7, time=now, event_id="h")
    assert sse_message(WireEvent.of(beat)).startswith("event: stream.heartbeat.v1\ndata: ")
