"""A stand-in for the server's far edge: a WebSocket handler plus canned JSON over HTTP."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus

from websockets.asyncio.server import Request, Response, ServerConnection, serve

Handler = Callable[[ServerConnection], Awaitable[None]]


@asynccontextmanager
async def fake_server(
    handler: Handler,
    answers: dict[str, object] | None = None,
    *,
    refuse: Callable[[str, bool], int | None] = lambda _path, _is_socket: None,
) -> AsyncIterator[str]:
    """Yield the base URL; `answers` maps paths to what GET returns there.

    `refuse` says with which status a request is refused, if it is, as by a proxy.
    """

    def answer(connection: ServerConnection, request: Request) -> Response | None:
        path = request.path.partition("?")[0]
        status = refuse(path, "upgrade" in request.headers)
        if status is not None:
            return connection.respond(HTTPStatus(status), "no")
        if answers is None or path not in answers or "upgrade" in request.headers:
            return None
        return connection.respond(HTTPStatus.OK, json.dumps(answers[path]))

    async with serve(
        handler,
        "127.0.0.1",
        0,
        process_request=answer,
        select_subprotocol=lambda _, offered: offered[0] if offered else None,
    ) as server:
        yield f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
