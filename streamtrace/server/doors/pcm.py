"""`/v1/ingest/pcm?rate=&channels=&external_id=&line=&events=1`: bare PCM16, from many platforms."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.websockets import WebSocket

from streamtrace.errors import ProtocolViolation
from streamtrace.protocols.fields import parameters
from streamtrace.protocols.pcm import PcmStream
from streamtrace.protocols.preamble import CONTENT_TYPES, SUBPROTOCOLS
from streamtrace.server.credentials import require_token
from streamtrace.server.ingest import Ingest
from streamtrace.server.problems import Refusal
from streamtrace.server.query import flag, name, whole

OWN_KEYS = ("rate", "channels", "external_id", "line", "events")
TRACK_KEYS = ("trackID", "trackId", "track_id")  # what LiveKit's users name their track by


def routes(ingest: Ingest) -> APIRouter:
    """The route."""
    router = APIRouter()

    @router.websocket("/v1/ingest/pcm")
    async def pcm(socket: WebSocket) -> None:  # pyright: ignore[reportUnusedFunction]
        def stream() -> PcmStream:
            require_token(socket, ingest.settings)
            rest = {key: value for key, value in socket.query_params.items() if key not in OWN_KEYS}
            ids = (name(socket, key) for key in ("external_id", *TRACK_KEYS))
            try:
                return PcmStream(
                    whole(socket, "rate", 16_000),
                    whole(socket, "channels", 1),
                    next(filter(None, ids), None),
                    parameters=parameters(rest),
                    platform=_platform(socket),
                    tells=flag(socket, "events"),
                )
            except ProtocolViolation as violation:
                raise Refusal(422, str(violation)) from None

        await ingest.take(socket, "pcm", stream, subprotocols=tuple(SUBPROTOCOLS))

    return router


def _platform(socket: WebSocket) -> str | None:
    """As far as the upgrade tells it."""
    offered: list[str] = socket.scope.get("subprotocols", [])
    by_name = (SUBPROTOCOLS[one] for one in offered if one in SUBPROTOCOLS)
    content_type = socket.headers.get("content-type", "").partition(";")[0].strip().lower()
    return next(by_name, CONTENT_TYPES.get(content_type))
