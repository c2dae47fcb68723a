"""Who may place calls: where a secret is set, each ingest request proves that it has it."""

from __future__ import annotations

import binascii
import hmac
from base64 import b64decode

from starlette.requests import HTTPConnection

from streamtrace.protocols.signatures import is_signed_by_twilio, stream_address
from streamtrace.server.problems import Refusal
from streamtrace.settings import Settings

CHALLENGE = {"www-authenticate": 'Bearer realm="streamtrace", Basic realm="streamtrace"'}


def require_token(
    connection: HTTPConnection, settings: Settings, *, header: str | None = None
) -> None:
    """Refuse with 401 what does not bring the token, as Bearer (RFC 6750) or Basic password.

    `header` is another one in which the platform can bring it, bare.
    """
    if settings.ingest_token is None:
        return
    bare = connection.headers.get(header, "") if header else ""
    given = bare.encode(errors="replace") or brought(connection)
    if not is_token(given, settings):
        raise Refusal(
            401, "want the ingest token as `Authorization: Bearer …` or Basic password", CHALLENGE
        )


def require_twilio(connection: HTTPConnection, settings: Settings) -> None:
    """Refuse what Twilio has not signed, or, where no auth token is set, what brings no token.

    The address is the one of the settings: what a request says of it, anybody may have written.
    """
    if settings.twilio_auth_token is None:
        require_token(connection, settings)
        return
    assert settings.public_url is not None  # the settings see to it
    raw_path: bytes = connection.scope["raw_path"]
    query: bytes = connection.scope["query_string"]
    path = (raw_path + (b"?" + query if query else b"")).decode("latin-1")
    given = connection.headers.get("x-twilio-signature")
    if given is None:
        raise Refusal(401, "want an X-Twilio-Signature: the server has Twilio's auth token set")
    address = stream_address(settings.public_url, path)
    if not is_signed_by_twilio(given, settings.twilio_auth_token.get_secret_value(), address):
        raise Refusal(
            403,
            "X-Twilio-Signature is of another address or auth token: compare public_url with the "
            "address in <Stream>",
        )


def is_token(given: bytes, settings: Settings) -> bool:
    """Whether it is the ingest token, compared in constant time; anything is where none is set."""
    if settings.ingest_token is None:
        return True
    return hmac.compare_digest(given, settings.ingest_token.get_secret_value().encode())


def brought(connection: HTTPConnection) -> bytes:
    """The token that `Authorization` carries; empty if it carries none."""
    scheme, _, rest = connection.headers.get("authorization", "").strip().partition(" ")
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
