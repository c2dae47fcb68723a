"""Signing in and out in a browser: a token is exchanged for a cookie that no script can read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import structlog
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field, SecretStr

from streamtrace.events.wire import stamp
from streamtrace.server.access import MOST_TOKEN, Person, Role, Tokens
from streamtrace.server.gate import CHALLENGE, ELSEWHERE, SIGN_IN, bearer_of, is_own_page
from streamtrace.server.problems import Refusal
from streamtrace.server.rate_limit import RateLimit
from streamtrace.server.sign_in import COOKIE, LASTS_S, SignIns
from streamtrace.server.state import ServerState

log = structlog.get_logger()

TRIES_PER_S = 1.0  # of one address, five at once
TOO_OFTEN = "too many attempts: wait a little"
WRONG = "no such token"
PROBLEM: dict[str, Any] = {"content": {"application/problem+json": {}}}


class SignIn(BaseModel, frozen=True, extra="forbid"):
    """What somebody brings."""

    token: SecretStr = Field(min_length=1, max_length=MOST_TOKEN)


class SessionView(BaseModel, frozen=True):
    """Who one is here."""

    name: str | None = Field(description="None: reading is open here, and nobody needs a name.")
    role: Role
    expires: str | None = Field(default=None, json_schema_extra={"format": "date-time"})


def routes(state: ServerState) -> APIRouter:
    """`/v1/session`."""
    sessions = Sessions(state, state.tokens, state.sign_ins)
    router = APIRouter(prefix="/v1/session", tags=["access"])
    router.add_api_route(
        "",
        sessions.who,
        methods=["GET"],
        response_model=SessionView,
        responses={401: PROBLEM},
    )
    router.add_api_route(
        "",
        sessions.begin,
        methods=["POST"],
        response_model=SessionView,
        responses={401: PROBLEM, 403: PROBLEM, 422: PROBLEM, 429: PROBLEM},
    )
    router.add_api_route("", sessions.end, methods=["DELETE"], status_code=204)
    return router


class Sessions:
    """Of browsers; programs bring their token each time."""

    def __init__(self, state: ServerState, tokens: Tokens, sign_ins: SignIns) -> None:
        self._state = state
        self._tokens = tokens
        self._sign_ins = sign_ins
        self._tries = RateLimit(TRIES_PER_S)

    async def who(self, request: Request) -> Response:
        """Who one is; 401 where one has to sign in first."""
        if not self._tokens:
            return _json(SessionView(name=None, role=Role.OPERATOR))
        token = bearer_of(request)
        cookie = request.cookies.get(COOKIE, "")
        person = (
            self._sign_ins.whose(cookie, self._now_s())
            if token is None
            else self._tokens.whose(token)
        )
        if person is None:
            raise Refusal(401, SIGN_IN, CHALLENGE)
        return _json(_view(person))

    async def begin(self, given: SignIn, request: Request) -> Response:
        """Exchange a token for a cookie."""
        if not is_own_page(request):
            raise Refusal(403, ELSEWHERE)
        address = request.client.host if request.client else ""
        wait_s = self._tries.wait_s(address, self._state.clock.now())
        if wait_s:
            raise Refusal(429, TOO_OFTEN, {"retry-after": str(wait_s)})
        person = self._tokens.whose(given.token.get_secret_value())
        if person is None:
            log.warning("sign-in refused")
            raise Refusal(401, WRONG, CHALLENGE)
        now_s = self._now_s()
        expires = stamp(datetime.fromtimestamp(int(now_s) + LASTS_S, UTC))
        answer = _json(_view(person, expires))
        answer.set_cookie(
            COOKIE,
            self._sign_ins.begin(person, now_s),
            max_age=LASTS_S,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        log.info("signed in", name=person.name)
        return answer

    async def end(self, request: Request) -> Response:
        """The cookie is worth nothing from now on, wherever it is."""
        if not is_own_page(request):
            raise Refusal(403, ELSEWHERE)
        self._sign_ins.end(request.cookies.get(COOKIE, ""), self._now_s())
        answer = Response(status_code=204)
        answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return answer

    def _now_s(self) -> float:
        return self._state.clock.utc().timestamp()


def _view(person: Person, expires: str | None = None) -> SessionView:
    return SessionView(name=person.name, role=person.role, expires=expires)


def _json(view: SessionView) -> Response:
    headers = {"cache-control": "no-store"}
    return Response(view.model_dump_json(), 200, headers, media_type="application/json")
