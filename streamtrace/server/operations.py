"""Operations and the first page: alive, ready, metrics, and what a browser is given."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import FileResponse, JSONResponse

from streamtrace.dashboard import BUILT
from streamtrace.errors import CallRejected
from streamtrace.server.problems import RETRY_AFTER_S, problem
from streamtrace.server.state import ServerState
from streamtrace.telemetry import METRICS_TYPE

PAGE = BUILT / "index.html"
STATIC = BUILT / "static"
NOT_BUILT = "the dashboard is not built: with Node, `python streamtrace/dashboard/build.py` does it"


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
        """The dashboard; it is part of every wheel, and of a checkout once it is built."""
        if not PAGE.is_file():
            return problem(503, NOT_BUILT)
        return FileResponse(PAGE, headers={"cache-control": "no-cache"})

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
        said: dict[str, Any] = {
            "status": "ready",
            "model": {"id": model.id, "sha256": model.sha256},
            "store": self._store(),
            "evidence": self._evidence(),
        }
        if self._state.webhooks.workers:
            failing = self._state.webhooks.failing()
            said["webhooks"] = {"status": "failing" if failing else "telling", "failing": failing}
        return JSONResponse(said)

    def _store(self) -> dict[str, str]:
        store = self._state.store
        if store is None:
            return {"status": "memory"}
        problem = store.journal.problem
        if problem is None:
            return {"status": "keeping"}
        return {"status": "live_only", "problem": problem}

    def _evidence(self) -> dict[str, str]:
        keeper = self._state.exhibits.keeper
        if keeper is None or not self._state.exhibits.keeps_clips:
            return {"status": "off"}
        if keeper.problem is None:
            return {"status": "keeping"}
        return {"status": "failing", "problem": keeper.problem}

    async def metrics(self) -> Response:
        """Prometheus' text format."""
        return Response(self._state.metrics.exposition(), media_type=METRICS_TYPE)
