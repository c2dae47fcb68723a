"""Events as Server-Sent Events; the id is the sequence, so browsers resume by themselves."""

from __future__ import annotations

from streamtrace.events.log import WireEvent
from streamtrace.events.wire import HEARTBEAT, padded

MEDIA_TYPE = "text/event-stream"


def sse_message(event: WireEvent) -> str:
    """One message; a heartbeat has no id, for it is no place to resume from."""
    cursor = "" if event.type == HEARTBEAT else f"id: {padded(event.number)}\n"
    return f"{cursor}event: {event.type}\ndata: {event.text}\n\n"
