"""Middleware: who has no token reads nothing, and who only reads decides nothing."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from streamtrace.server.access import Person, Tokens, needed
from streamtrace.server.problems import Refusal
from streamtrace.server.sign_in import COOKIE, SignIns

PERSON = "streamtrace.person"  # in the scope of a request, where tokens are set
CHALLENGE = {"www-authenticate": 'Bearer realm="streamtrace"'}
SIGN_IN = "want an access token as `Authorization: Bearer …`, or a session from POST /v1/session"
NOT_YOURS = "this token may only read: want one with the role operator"
ELSEWHERE = "this comes from a page of another origin: a session is for the page of this server"


class Gate:
    """In front of every route, WebSockets too: they are refused before the upgrade."""

    def __init__(
        self, app: ASGIApp, tokens: Tokens, sign_ins: SignIns, now_s: Callable[[], float]
    ) -> None:
        self._app = app
        self._tokens = tokens
        self._sign_ins = sign_ins
        self._now_s = now_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let it through, or answer 401 or 403."""
        if scope["type"] not in ("http", "websocket") or not self._tokens:
            await self._app(scope, receive, send)
            return
        is_socket = scope["type"] == "websocket"
        method: str = "WEBSOCKET" if is_socket else scope["method"]
        try:
            scope[PERSON] = self._admitted(HTTPConnection(scope), method)
        except Refusal as refusal:
            response = refusal.response()
            if is_socket:
                await WebSocket(scope, receive, send).send_denial_response(response)
            else:
                await response(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _admitted(self, connection: HTTPConnection, method: str) -> Person | None:
        role = needed(method, connection.scope["path"])
        if role is None:
            return None
        token = bearer_of(connection)
        if token is not None:
            person = self._tokens.whose(token)
        else:
            person = self._sign_ins.whose(connection.cookies.get(COOKIE, ""), self._now_s())
            if person is not None and not is_own_page(connection):
                raise Refusal(403, ELSEWHERE)
        if person is None:
            raise Refusal(401, SIGN_IN, CHALLENGE)
        if not person.role.covers(role):
            raise Refusal(403, NOT_YOURS)
        return person


def person_of(connection: HTTPConnection) -> Person | None:
    """Who asks; None where reading is open."""
    return connection.scope.get(PERSON)


def bearer_of(connection: HTTPConnection) -> str | None:
    """The token that `Authorization` carries; browsers never bring one by themselves."""
    scheme, _, rest = connection.headers.get("authorization", "").strip().partition(" ")
    return rest.strip() if scheme.lower() == "bearer" else None


def is_own_page(connection: HTTPConnection) -> bool:
    """Whether a browser was asked by a page of ours: other ports of a host are the same site to it.

    Browsers name the page's origin wherever it matters: with WebSockets, and with all that changes
    something.
    """
    origin = connection.headers.get("origin")
    if origin is None:
        return True
    return urlsplit(origin).netloc.lower() == connection.headers.get("host", "").lower()
