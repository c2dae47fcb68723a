"""`/v1/ingest/asterisk?line=&…`: Asterisk's WebSocket channel."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.websockets import WebSocket

from streamtrace.audio.codecs import CODECS
from streamtrace.protocols.asterisk import SUBPROTOCOLS, AsteriskStream
from streamtrace.server.credentials import require_token
from streamtrace.server.ingest import Ingest

SAMPLES_IN = {codec: how.samples_in for codec, how in CODECS.items()}


def routes(ingest: Ingest) -> APIRouter:
    """The route."""
    router = APIRouter()

    @router.websocket("/v1/ingest/asterisk")
    async def asterisk(socket: WebSocket) -> None:  # pyright: ignore[reportUnusedFunction]
        def stream() -> AsteriskStream:
            require_token(socket, ingest.settings)
            return AsteriskStream(SAMPLES_IN, socket.query_params)

        await ingest.take(socket, "asterisk", stream, subprotocols=SUBPROTOCOLS)

    return router
