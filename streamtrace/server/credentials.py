"""Who may place calls: where a token is set, each ingest request proves that it has it."""

from __future__ import annotations

import binascii
import hmac
from base64 import b64decode

from starlette.requests import HTTPConnection

from streamtrace.server.problems import Refusal
from streamtrace.settings import Settings

CHALLENGE = {"www-authenticate": 'Bearer realm="streamtrace", Basic realm="streamtrace"'}


def require_token(connection: HTTPConnection, settings: Settings) -> None:
    """Refuse with 401 what does not bring the token, as Bearer (RFC 6750) or Basic password."""
    if settings.ingest_token is None:
        return
    wanted = settings.ingest_token.get_secret_value().encode()
    given = _token(connection.headers.get("authorization", ""))
    if not hmac.compare_digest(given, wanted):
        raise Refusal(
            401, "want the ingest token as `Authorization: Bearer …` or Basic password", CHALLENGE
        )


def _token(authorization: str) -> bytes:
    """What the header carries; empty if it carries none."""
    scheme, _, rest = authorization.strip().partition(" ")
    match scheme.lower():
        case "bearer":
            return rest.strip().encode(errors="replace")
        case "basic":
            try:
                return b64decode(rest.strip(), validate=True).partition(b":")[2]
            except (binascii.Error, ValueError):
                return b""
        case _:
            return b""
