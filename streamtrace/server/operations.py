"""Operations and the first page: alive, ready, metrics, and what a browser is given."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Response
from fastapi.responses import FileResponse, JSONResponse

from streamtrace.errors import CallRejected
from streamtrace.server.problems import RETRY_AFTER_S, problem
from streamtrace.server.state import ServerState
from streamtrace.telemetry import METRICS_TYPE

STATIC = Path(__file__).parent / "static"


def routes(state: ServerState) -> APIRouter:
    """`/`, `/livez`, `/readyz`, `/metrics`."""
    operations = Operations(state)
    router = APIRouter()
    router.add_api_route("/", operations.page, methods=["GET"], include_in_schema=False)
    router.add_api_route("/livez", operations.livez, methods=["GET"], tags=["operations"])
    router.add_api_route("/readyz", operations.readyz, methods=["GET"], tags=["operations"])
    router.add_api_route("/metrics", operations.metrics, methods=["GET"], tags=["operations"])
    return router


class Operations:
    """What an orchestrator, a scraper and a browser ask first."""

    def __init__(self, state: ServerState) -> None:
        self._state = state

    async def page(self) -> Response:
        """The first page: live calls and their decisions as they come."""
        return FileResponse(STATIC / "index.html", headers={"cache-control": "no-cache"})

    async def livez(self) -> Response:
        """The process runs and so does its encoder; restart it where this fails."""
        if self._state.has_failed:
            return problem(503, "the encoder fails: restart this server")
        return JSONResponse({"status": "alive"})

    async def readyz(self) -> Response:
        """One more call can be taken; 503 while draining, full or failed."""
        try:
            self._state.check_room()
        except CallRejected as cause:
            return problem(503, str(cause), headers={"retry-after": str(RETRY_AFTER_S)})
        model = self._state.engine.bundle.ref
        return JSONResponse({"status": "ready", "model": {"id": model.id, "sha256": model.sha256}})

    async def metrics(self) -> Response:
        """Prometheus' text format."""
        return Response(self._state.metrics.exposition(), media_type=METRICS_TYPE)
