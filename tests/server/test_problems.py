"""Refusals as problem+json, and what is no failure of the server."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from fastapi import FastAPI, Request

from streamtrace.server import problems


async def test_a_client_that_hangs_up_amid_its_body_is_no_failure() -> None:
    app = FastAPI()
    problems.install(app)

    async def take(request: Request) -> None:
        await request.body()

    app.add_api_route("/", take, methods=["POST"])
    received = iter(
        [
            {"type": "http.request", "body": b"v=0", "more_body": True},
            {"type": "http.disconnect"},
        ]
    )
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return next(received)

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": []}
    await app(scope, receive, send)
    assert sent[0]["status"] == 400
