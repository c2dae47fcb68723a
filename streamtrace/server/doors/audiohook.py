"""`/v1/ingest/audiohook?line=&events=1`: Genesys AudioHook.

Whoever may not call is let in and told so, for that is what the platform shows its administrator;
half a second late, so that the time tells nothing.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode
from urllib.parse import urlsplit

import structlog
from fastapi import APIRouter
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket

from streamtrace.errors import CallRejected, NotAllowed
from streamtrace.protocols.audiohook import AudioHookStream
from streamtrace.protocols.http_signature import BadSignature, SignedRequest, verify
from streamtrace.server.credentials import require_token
from streamtrace.server.ingest import Ingest
from streamtrace.server.problems import Refusal, rejection
from streamtrace.server.query import flag
from streamtrace.settings import Settings

log = structlog.get_logger()

PROTOCOL = "audiohook"
DENIED_AFTER_S = 0.5
API_KEY = "x-api-key"
ORGANIZATION, SESSION = "audiohook-organization-id", "audiohook-session-id"
SIGNED = (
    "@request-target",
    "@authority",
    ORGANIZATION,
    SESSION,
    "audiohook-correlation-id",
    API_KEY,
)


def routes(ingest: Ingest) -> APIRouter:
    """The route."""
    router = APIRouter()
    guard = Guard(ingest.settings)

    @router.websocket("/v1/ingest/audiohook")
    async def audiohook(socket: WebSocket) -> None:  # pyright: ignore[reportUnusedFunction]
        session_id = socket.headers.get(SESSION)
        try:
            nonce = guard.check(socket, ingest.clock.utc().timestamp())
            if nonce is not None:
                await ingest.take_nonce(nonce)
        except (BadSignature, NotAllowed) as reason:
            log.warning("unauthorized", protocol=PROTOCOL, why=str(reason))
            denied = AudioHookStream(session_id=session_id, is_denied=True)
            await ingest.deny(socket, PROTOCOL, denied, after_s=DENIED_AFTER_S)
            return
        except CallRejected as cause:
            await socket.send_denial_response(rejection(cause).response())
            return

        def stream() -> AudioHookStream:
            return AudioHookStream(
                organization_id=socket.headers.get(ORGANIZATION),
                session_id=session_id,
                tells=flag(socket, "events"),
            )

        await ingest.take(socket, PROTOCOL, stream)

    return router


class Guard:
    """Who may call: a key's owner by signature, or whoever has the ingest token; else anybody."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._secrets = {
            key: b64decode(secret.get_secret_value())
            for key, secret in settings.audiohook_keys.items()
        }

    def check(self, request: HTTPConnection, now_s: float) -> str | None:
        """Raise `BadSignature` where the request may not be taken.

        Returns what it may be taken but once with, where it is signed: a digest of its nonce,
        whose length is not the signer's choice.
        """
        key = request.headers.get(API_KEY, "")
        if not self._secrets:
            self._check_token(request, key)
            return None
        if self._secrets.get(key) == b"":
            return None  # its owner wants no signature
        signed = SignedRequest(*_seen_from_outside(request, self._settings), _joined(request))
        parameters = verify(signed, self._secrets, SIGNED, now_s).parameters
        if parameters["keyid"] != key:
            raise BadSignature("X-API-KEY is not the key that signed")
        return hashlib.sha256(parameters["nonce"].encode()).hexdigest()

    def _check_token(self, request: HTTPConnection, key: str) -> None:
        """As the platform can send it, or as the others do."""
        token = self._settings.ingest_token
        if token is not None and hmac.compare_digest(
            key.encode(errors="replace"), token.get_secret_value().encode()
        ):
            return
        try:
            require_token(request, self._settings)
        except Refusal:
            raise BadSignature("X-API-KEY is not the ingest token") from None


def _seen_from_outside(request: HTTPConnection, settings: Settings) -> tuple[str, str]:
    """Path with query, and host, as the far side wrote them."""
    path: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    query: bytes = request.scope["query_string"]
    target = path.decode("latin1") + ("?" + query.decode("latin1") if query else "")
    if settings.public_url is None:
        return target, request.headers.get("host", "")
    public = urlsplit(settings.public_url)
    return public.path.rstrip("/") + target, public.netloc


def _joined(request: HTTPConnection) -> dict[str, str]:
    """Headers by name; one that comes twice is signed as a list."""
    return {name: ", ".join(request.headers.getlist(name)) for name in request.headers}
