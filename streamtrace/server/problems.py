"""Refusals as problem+json (RFC 9457), over HTTP and before a WebSocket is accepted."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from streamtrace.errors import CallRejected, StoreFailed

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 5


class Problem(BaseModel, frozen=True):
    """A refusal (RFC 9457)."""

    type: str = Field(default="about:blank", description="The status says it all.")
    title: str = Field(description="The status in words.")
    status: int
    detail: str = Field(description="What is wrong, and what to do.")


class Refusal(Exception):
    """Ends a request, or a WebSocket that is not accepted yet, with problem+json."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers

    def response(self) -> JSONResponse:
        """What to answer."""
        return problem(self.status, self.detail, headers=self.headers)


def problem(status: int, detail: str, *, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The answer; `detail` says what is wrong and what to do."""
    told = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail)
    return JSONResponse(told.model_dump(), status, headers=headers, media_type=MEDIA_TYPE)


def rejection(cause: CallRejected) -> Refusal:
    """No room now: 503, and when to try again. What may not come at all is told so."""
    again = cause.status == CallRejected.status
    return Refusal(cause.status, str(cause), {"retry-after": str(RETRY_AFTER_S)} if again else None)


UNREADABLE = Refusal(
    503, "the database cannot be read just now: try again", {"retry-after": str(RETRY_AFTER_S)}
)


def install(app: FastAPI) -> None:
    """Have every refusal of every route look like this."""
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(CallRejected, _rejected)
    app.add_exception_handler(StoreFailed, _unreadable)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _failed)


def _refused(_request: Request, error: Exception) -> JSONResponse:
    return error.response() if isinstance(error, Refusal) else _failed(_request, error)


def _http_error(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        return _failed(_request, error)
    return problem(error.status_code, str(error.detail), headers=error.headers)


def _invalid(_request: Request, error: Exception) -> JSONResponse:
    """Names the field and the rule, and does not repeat the value."""
    if not isinstance(error, RequestValidationError):
        return _failed(_request, error)
    rules = [
        f"{'.'.join(str(part) for part in one['loc'])}: {one['msg'].removeprefix('Value error, ')}"
        for one in error.errors()
    ]
    return problem(422, "; ".join(rules))


def _rejected(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, CallRejected):
        return _failed(_request, error)
    return rejection(error).response()


def _unreadable(_request: Request, _error: Exception) -> JSONResponse:
    return UNREADABLE.response()


def _gone(_request: Request, _error: Exception) -> JSONResponse:
    """Nobody reads this: a client that hangs up amid its own request is no failure of ours."""
    return problem(400, "the connection ended before the body did")


def _failed(_request: Request, _error: Exception) -> JSONResponse:
    return problem(500, "the server failed here; its log says where")
