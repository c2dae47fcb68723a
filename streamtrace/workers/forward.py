"""Hands requests on to another of our processes, over its Unix socket, streamed both ways."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import httpx
from starlette.requests import ClientDisconnect, Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from streamtrace.server.problems import problem
from streamtrace.workers.bridge import bridge

CONNECT_S = 5.0
KEPT_ALIVE = 16
# Of one connection, not of what travels over it (RFC 9110, 7.6.1).
HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
    }
    | {b"te", b"trailer", b"transfer-encoding", b"upgrade"}
)
# Who called over which scheme is known here; what the caller says of it has been judged already.
FORWARDED = frozenset({b"x-forwarded-for", b"x-forwarded-proto"})

Headers = list[tuple[bytes, bytes]]


class FarSideGone(Exception):
    """Nobody listens at that socket."""


class Forward:
    """An ASGI application that another process answers; `close` it in the end."""

    def __init__(self, path: Path, *, send_timeout_s: float) -> None:
        self._path = path
        self._send_timeout_s = send_timeout_s
        self._transport = httpx.AsyncHTTPTransport(
            uds=str(path),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=KEPT_ALIVE),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises `FarSideGone` where the other process is not there; nothing is answered then."""
        if scope["type"] == "websocket":
            await bridge(
                WebSocket(scope, receive, send),
                self._path,
                forwarded_headers(scope),
                send_timeout_s=self._send_timeout_s,
            )
        else:
            await self._request(Request(scope, receive), send)

    async def close(self) -> None:
        """Close the connections that are kept."""
        await self._transport.aclose()

    async def _request(self, request: Request, send: Send) -> None:
        scope, receive = request.scope, request.receive
        try:
            answer = await self._transport.handle_async_request(_asked(request))
        except httpx.ConnectError as cause:
            raise FarSideGone from cause
        except httpx.InvalidURL:
            await problem(400, "the address cannot be read")(scope, receive, send)
            return
        except httpx.TransportError:
            await problem(502, "the server went away amid its answer")(scope, receive, send)
            return
        except ClientDisconnect:
            return
        try:
            response = StreamingResponse(answer.aiter_raw(), answer.status_code)
            response.raw_headers = _without_hop_by_hop(answer.headers.raw)
            await response(scope, receive, send)
        except* (httpx.TransportError, ClientDisconnect):
            pass  # one of the two sides is gone amid the answer
        finally:
            await answer.aclose()


def forwarded_headers(scope: Scope) -> Headers:
    """The caller's headers, and who the caller is."""
    headers = [
        (name, value)
        for name, value in _without_hop_by_hop(scope["headers"])
        if name not in FORWARDED
    ]
    scheme: str = scope["scheme"]
    headers.append((b"x-forwarded-proto", scheme.encode()))
    if scope.get("client"):
        headers.append((b"x-forwarded-for", str(scope["client"][0]).encode()))
    return headers


def _asked(request: Request) -> httpx.Request:
    scope = request.scope
    query: bytes = scope["query_string"]
    raw_path: bytes = scope["raw_path"] + (b"?" + query if query else b"")
    has_body = "content-length" in request.headers or "transfer-encoding" in request.headers
    return httpx.Request(
        request.method,
        httpx.URL(scheme="http", host="engine", raw_path=raw_path),
        headers=forwarded_headers(scope),
        content=request.stream() if has_body else None,
        extensions={"timeout": httpx.Timeout(None, connect=CONNECT_S).as_dict()},
    )


def _without_hop_by_hop(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Also without what `Connection` names."""
    lower = [(name.lower(), value) for name, value in headers]
    named = {
        token.strip().lower()
        for name, value in lower
        if name == b"connection"
        for token in value.split(b",")
    }
    return [(name, value) for name, value in lower if name not in HOP_BY_HOP | named]
