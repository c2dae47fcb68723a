"""`/v1/ingest/signalwire`: SignalWire's cXML `<Stream>`; `authBearerToken` is the ingest token."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.websockets import WebSocket

from streamtrace.protocols.signalwire import SignalWireStream
from streamtrace.server.credentials import require_token
from streamtrace.server.ingest import Ingest


def routes(ingest: Ingest) -> APIRouter:
    """The route."""
    router = APIRouter()

    @router.websocket("/v1/ingest/signalwire")
    async def signalwire(socket: WebSocket) -> None:  # pyright: ignore[reportUnusedFunction]
        def stream() -> SignalWireStream:
            require_token(socket, ingest.settings)
            return SignalWireStream()

        await ingest.take(socket, "signalwire", stream)

    return router
