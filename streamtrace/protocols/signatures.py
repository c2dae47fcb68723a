"""Signatures over the address of a stream, as platforms put them on the request for it."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from urllib.parse import urlsplit

SOCKET_SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}


def stream_address(public_url: str, path_and_query: str) -> str:
    """The `wss://…` that a platform was given for a stream, whatever proxies made of it."""
    parts = urlsplit(public_url)
    scheme = SOCKET_SCHEMES[parts.scheme]
    return f"{scheme}://{parts.netloc}{parts.path.rstrip('/')}{path_and_query}"


def twilio_signature(auth_token: str, address: str) -> str:
    """`X-Twilio-Signature` of a request without parameters."""
    digest = hmac.new(auth_token.encode(), address.encode(), hashlib.sha1).digest()
    return b64encode(digest).decode()


def is_signed_by_twilio(given: str, auth_token: str, address: str) -> bool:
    """Compared in constant time."""
    wanted = twilio_signature(auth_token, address)
    return hmac.compare_digest(given.encode(errors="replace"), wanted.encode())
