"""`/v1/ingest/exotel`: Exotel's applets; `wss://any:TOKEN@HOST/…` brings the ingest token."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.websockets import WebSocket

from streamtrace.protocols.exotel import ExotelStream
from streamtrace.server.credentials import require_token
from streamtrace.server.ingest import Ingest


def routes(ingest: Ingest) -> APIRouter:
    """The route."""
    router = APIRouter()

    @router.websocket("/v1/ingest/exotel")
    async def exotel(socket: WebSocket) -> None:  # pyright: ignore[reportUnusedFunction]
        def stream() -> ExotelStream:
            require_token(socket, ingest.settings)
            return ExotelStream()

        await ingest.take(socket, "exotel", stream)

    return router
