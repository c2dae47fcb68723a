"""A client of Genesys AudioHook and our side of its session, told of each message in turn."""

from __future__ import annotations

from typing import Any

from streamtrace.protocols.audiohook import AudioHookStream
from streamtrace.protocols.ingest import IngestEvent, Reply
from streamtrace.values import EndReason
from tests.protocols.audiohook_messages import Client

FRAME = bytes([1, 2]) * 1600  # 200 ms: 1 from the customer, 2 from the agent


class Session:
    """A client and our side of it, told of each message in turn."""

    def __init__(self, **stream: Any) -> None:
        self.client = Client()
        self.stream = AudioHookStream(**stream)

    def feed(self, message: str | bytes) -> list[IngestEvent]:
        """Our events; what we answer is checked, and given as the dict that it is."""
        return [self._checked(event) for event in self.stream.feed(message)]

    def says(self, kind: str, parameters: Any = None, **changes: Any) -> list[IngestEvent]:
        return self.feed(self.client.says(kind, parameters, **changes))

    def answers(self, kind: str, parameters: Any = None) -> dict[str, Any]:
        """The one answer to a message."""
        (reply,) = (one for one in self.says(kind, parameters) if isinstance(one, dict))
        return reply

    def farewell(self, reason: EndReason, problem: str | None = None) -> list[dict[str, Any]]:
        return [self.client.hears(text) for text in self.stream.farewell(reason, problem)]

    def _checked(self, event: IngestEvent) -> Any:
        return self.client.hears(event.text) if isinstance(event, Reply) else event
