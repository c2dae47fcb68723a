"""The ASGI application of an ingest process: takes ingest itself and hands on everything else."""

from __future__ import annotations

import re

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from streamtrace.errors import CallRejected
from streamtrace.server import headers, limits, problems, whip
from streamtrace.server.doors import platforms
from streamtrace.server.problems import rejection
from streamtrace.server.switchboard import Switchboard
from streamtrace.server.tasks import OwnedTasks
from streamtrace.workers.forward import FarSideGone, Forward
from streamtrace.workers.line import ENGINE_GONE

INGEST, WHIP = "/v1/ingest/", "/whip/"
OWNER = re.compile(r"/whip/[^/]+/(\d{1,2})-[^/]+")  # whose session it is; see `new_session_id`


def ingest_app(board: Switchboard) -> ASGIApp:
    """The ways in, as `create_app` has them."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    problems.install(app)
    app.add_middleware(limits.BodyLimit, most_bytes=board.settings.frame_limit_bytes)
    app.add_middleware(headers.SecurityHeaders)
    for way_in in (platforms, whip):
        app.include_router(way_in.routes(board))
    return app


class WorkerApp:
    """Looks at the path alone."""

    def __init__(
        self, board: OwnedTasks, own: ASGIApp, engine: Forward, others: dict[int, Forward]
    ) -> None:
        self._board = board
        self._own = own
        self._engine = engine
        self._others = others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """To whom it belongs."""
        path: str = scope["path"]
        if not path.startswith((INGEST, WHIP)):
            try:
                with self._board.streaming():  # what the engine says last is still handed on
                    await self._engine(scope, receive, send)
            except FarSideGone:
                await rejection(CallRejected(ENGINE_GONE)).response()(scope, receive, send)
            return
        other = self._owner(path)
        if other is not None:
            try:
                await other(scope, receive, send)
                return
            except FarSideGone:
                pass  # and its sessions with it: here nobody knows them either
        await self._own(scope, receive, send)

    def _owner(self, path: str) -> Forward | None:
        """The process that has the session, if that is another one."""
        named = OWNER.fullmatch(path)
        return None if named is None else self._others.get(int(named[1]))
