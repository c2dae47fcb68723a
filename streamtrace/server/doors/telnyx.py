"""`/v1/ingest/telnyx`: Telnyx media streaming; `stream_auth_token` is the ingest token."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.websockets import WebSocket

from streamtrace.audio.codecs import CODECS
from streamtrace.protocols.telnyx import TelnyxStream
from streamtrace.server.credentials import require_token
from streamtrace.server.ingest import Ingest

TOKEN_HEADER = "x-telnyx-streaming-auth-token"


def routes(ingest: Ingest) -> APIRouter:
    """The route."""
    router = APIRouter()
    samples_in = {name: codec.samples_in for name, codec in CODECS.items()}

    @router.websocket("/v1/ingest/telnyx")
    async def telnyx(socket: WebSocket) -> None:  # pyright: ignore[reportUnusedFunction]
        def stream() -> TelnyxStream:
            require_token(socket, ingest.settings, header=TOKEN_HEADER)
            return TelnyxStream(samples_in)

        await ingest.take(socket, "telnyx", stream)

    return router
