"""`/v1/ingest/twilio`: Twilio Media Streams."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.websockets import WebSocket

from streamtrace.protocols.twilio import TwilioStream
from streamtrace.server.credentials import require_twilio
from streamtrace.server.ingest import Ingest


def routes(ingest: Ingest) -> APIRouter:
    """The route."""
    router = APIRouter()

    @router.websocket("/v1/ingest/twilio")
    async def twilio(socket: WebSocket) -> None:  # pyright: ignore[reportUnusedFunction]
        def stream() -> TwilioStream:
            require_twilio(socket, ingest.settings)
            return TwilioStream()

        await ingest.take(socket, "twilio", stream)

    return router
