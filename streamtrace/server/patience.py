"""uvicorn's HTTP with a deadline: a request comes in whole, or its connection is closed.

uvicorn waits for ever for the rest of a head or a body, so a few bytes would hold a socket for as
long as their sender likes. What has been upgraded to a WebSocket has limits of its own.
"""

from __future__ import annotations

import asyncio
from typing import Any

import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

log = structlog.get_logger()

TOO_LATE = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


def patient_for(seconds: float) -> type[HttpToolsProtocol]:
    """The protocol class for `uvicorn.Config(http=…)`."""

    class Patient(PatientHttp):
        request_timeout_s = seconds

    return Patient


class PatientHttp(HttpToolsProtocol):
    """From the connection, or a later request's first byte, to the request's last byte."""

    request_timeout_s = 10.0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The first request is due."""
        super().connection_made(transport)
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is due."""
        self._expect_nothing()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        """The head is whole; another protocol goes on with it."""
        self._expect_nothing()
        super().handle_websocket_upgrade()

    def on_message_begin(self) -> None:
        """A request has begun, and its rest is due."""
        super().on_message_begin()
        if self._deadline is None:
            self._expect()

    def on_message_complete(self) -> None:
        """It is whole."""
        self._expect_nothing()
        super().on_message_complete()

    def _expect(self) -> None:
        self._deadline = self.loop.call_later(self.request_timeout_s, self._give_up)

    def _expect_nothing(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        log.info("a request did not come in whole", within_s=self.request_timeout_s)
        cycle: Any = self.cycle
        if cycle is None or cycle.response_complete:  # else the answer to another is being sent
            self.transport.write(TOO_LATE)
        self.transport.close()
