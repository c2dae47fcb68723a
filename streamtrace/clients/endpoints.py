"""Addresses under a server's base URL, and how to open them without a proxy on this machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import SplitResult, quote, urlencode, urlsplit

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from streamtrace.clients.connection import Leaving
from streamtrace.errors import CallFailed
from streamtrace.loopback import is_loopback

REQUEST_TIMEOUT_S = 10.0
MOST_MESSAGE_BYTES = 8 * 1024 * 1024  # a frame of 200 calls with long names takes 2 MB
TOKEN_VARIABLE = "STREAMTRACE_TOKEN"  # an access token: what a reader brings


class NoServerAddress(CallFailed):
    """The base URL is none."""

    exit_code = 2


def endpoint(base_url: str, path: str, *, scheme: str = "http", **query: str | int | None) -> str:
    """The address of `path` under the base; with `scheme="ws"` its WebSocket twin."""
    parts = _parts(base_url)
    secured = "s" if parts.scheme == "https" else ""
    given = {key: value for key, value in query.items() if value is not None}
    asked = f"?{urlencode(given)}" if given else ""
    return f"{scheme}{secured}://{parts.netloc}{parts.path.rstrip('/')}{quote(path)}{asked}"


def _parts(base_url: str) -> SplitResult:
    try:
        parts = urlsplit(base_url)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            return parts
    except ValueError:  # a port that is none, half an IPv6 address
        pass
    raise NoServerAddress(f"{base_url!r} is no server address: want http://HOST:PORT or https://…")


def is_local(base_url: str) -> bool:
    """Whether the server is on this machine."""
    return is_loopback(urlsplit(base_url).hostname or "")


def ingest_token() -> str | None:
    """What the server may want of whoever places a call: `STREAMTRACE_INGEST_TOKEN`, as there."""
    return os.environ.get("STREAMTRACE_INGEST_TOKEN") or None


def bearer(token: str | None = None) -> dict[str, str]:
    """The ingest token as a header, where there is one; none given is the environment's."""
    return _header(ingest_token() if token is None else token)


def reader() -> dict[str, str]:
    """Who reads and decides: `STREAMTRACE_TOKEN`, one of the server's access tokens.

    Without one the ingest token goes along, as it does no harm.
    """
    return _header(os.environ.get(TOKEN_VARIABLE) or ingest_token())


def _header(token: str | None) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"} if token else {}


def http_client(base_url: str, *, headers: Mapping[str, str] | None = None) -> httpx.AsyncClient:
    """Proxies of the environment serve only servers elsewhere.

    The ingest token goes along, unless `headers` say who it is.
    """
    return httpx.AsyncClient(
        headers=bearer() if headers is None else dict(headers),
        timeout=REQUEST_TIMEOUT_S,
        trust_env=not is_local(base_url),
        # Reading the trusted certificates blocks the loop: not where there is no TLS.
        verify=base_url.startswith("https:"),
    )


def open_websocket(
    base_url: str,
    path: str,
    *,
    headers: Mapping[str, str] | None = None,
    subprotocol: str | None = None,
    **query: str | int | None,
) -> connect:
    """Connect, as an async context manager; compression off, for it costs more than it saves.

    The ingest token goes along, unless `headers` say who it is.
    """
    return connect(
        endpoint(base_url, path, scheme="ws", **query),
        additional_headers=bearer() if headers is None else dict(headers),
        subprotocols=None if subprotocol is None else [Subprotocol(subprotocol)],
        compression=None,
        max_size=MOST_MESSAGE_BYTES,
        proxy=None if is_local(base_url) else True,
        open_timeout=REQUEST_TIMEOUT_S,
        create_connection=Leaving,
    )


__all__ = [
    "ClientConnection",
    "endpoint",
    "http_client",
    "ingest_token",
    "is_local",
    "open_websocket",
    "reader",
]
