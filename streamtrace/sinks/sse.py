"""Events as Server-Sent Events; the id is the sequence, so browsers resume by themselves."""

from __future__ import annotations

from streamtrace.events.wire import CloudEvent, HeartbeatEvent

MEDIA_TYPE = "text/event-stream"


def sse_message(event: CloudEvent) -> str:
    """One message; a heartbeat has no id, for it is no place to resume from."""
    cursor = "" if isinstance(event, HeartbeatEvent) else f"id: {event.sequence}\n"
    return f"{cursor}event: {event.type}\ndata: {event.to_json()}\n\n"
