"""`/v1/ingest/pcm?rate=&channels=&external_id=&line=&events=1`: bare PCM16."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.websockets import WebSocket

from streamtrace.errors import ProtocolViolation
from streamtrace.protocols.pcm import SUBPROTOCOLS, PcmStream
from streamtrace.server.credentials import require_token
from streamtrace.server.ingest import Ingest
from streamtrace.server.problems import Refusal
from streamtrace.server.query import flag, name, whole


def routes(ingest: Ingest) -> APIRouter:
    """The route."""
    router = APIRouter()

    @router.websocket("/v1/ingest/pcm")
    async def pcm(socket: WebSocket) -> None:  # pyright: ignore[reportUnusedFunction]
        def stream() -> PcmStream:
            require_token(socket, ingest.settings)
            try:
                return PcmStream(
                    whole(socket, "rate", 16_000),
                    whole(socket, "channels", 1),
                    name(socket, "external_id"),
                    tells=flag(socket, "events"),
                )
            except ProtocolViolation as violation:
                raise Refusal(422, str(violation)) from None

        await ingest.take(socket, "pcm", stream, subprotocols=SUBPROTOCOLS)

    return router
