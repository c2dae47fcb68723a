"""The ingest token: asked for where it is set, in both forms that platforms can send."""

from __future__ import annotations

from base64 import b64encode

import pytest
from pydantic import SecretStr
from starlette.requests import HTTPConnection

from streamtrace.server.credentials import require_token
from streamtrace.server.problems import Refusal
from streamtrace.settings import Settings

LOCKED = Settings(ingest_token=SecretStr("open-sesame"))


def connection(authorization: str | None) -> HTTPConnection:
    headers = [] if authorization is None else [(b"authorization", authorization.encode())]
    return HTTPConnection({"type": "http", "headers": headers})


def basic(user: str, password: str) -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


def test_without_a_token_set_anyone_may() -> None:
    require_token(connection(None), Settings())


@pytest.mark.parametrize(
    "authorization",
    ["Bearer open-sesame", "bearer  open-sesame ", basic("asterisk", "open-sesame")],
)
def test_whoever_has_the_token_may(authorization: str) -> None:
    require_token(connection(authorization), LOCKED)


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer open-sesam",
        "Bearer open-sesame2",
        "Digest open-sesame",
        "Basic !!",
        "Basic " + b64encode(b"open-sesame").decode(),
        basic("open-sesame", ""),
    ],
)
def test_nobody_else_may(authorization: str | None) -> None:
    with pytest.raises(Refusal) as refused:
        require_token(connection(authorization), LOCKED)
    assert refused.value.status == 401
    assert "open-sesame" not in refused.value.detail
    assert refused.value.headers is not None
    assert "www-authenticate" in refused.value.headers
