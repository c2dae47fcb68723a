"""`/v1/ingest/plivo`: Plivo audio streams; `token` among the extra headers is the ingest token.

What Plivo calls extra headers it says in `start`, so the token is looked at behind the upgrade.
"""

from __future__ import annotations

from fastapi import APIRouter
from starlette.websockets import WebSocket

from streamtrace.errors import NotAllowed
from streamtrace.protocols.ingest import Started
from streamtrace.protocols.plivo import PlivoStream
from streamtrace.server.credentials import brought, is_token, require_token
from streamtrace.server.ingest import Ingest


def routes(ingest: Ingest) -> APIRouter:
    """The route."""
    router = APIRouter()

    @router.websocket("/v1/ingest/plivo")
    async def plivo(socket: WebSocket) -> None:  # pyright: ignore[reportUnusedFunction]
        has_brought = bool(brought(socket))

        def stream() -> PlivoStream:
            if has_brought:
                require_token(socket, ingest.settings)
            return PlivoStream()

        def admit(began: Started) -> None:
            given = began.parameters.get("token", "").encode()
            if not (has_brought or is_token(given, ingest.settings)):
                raise NotAllowed("want the ingest token as `token` in extraHeaders")

        await ingest.take(socket, "plivo", stream, admit=admit)

    return router
