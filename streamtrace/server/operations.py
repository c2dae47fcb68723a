"""Operations and the first page: alive, ready, metrics, and what a browser is given."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter, Response
from fastapi.responses import FileResponse, PlainTextResponse
from pydantic import BaseModel

from streamtrace.dashboard import BUILT
from streamtrace.errors import CallRejected
from streamtrace.server.problems import RETRY_AFTER_S, problem
from streamtrace.server.state import ServerState
from streamtrace.telemetry import METRICS_TYPE
from streamtrace.values import ModelRef

PAGE = BUILT / "index.html"
STATIC = BUILT / "static"
NOT_BUILT = "the dashboard is not built: with Node, `python streamtrace/dashboard/build.py` does it"


def routes(state: ServerState) -> APIRouter:
    """`/`, `/livez`, `/readyz`, `/metrics`."""
    operations = Operations(state)
    router = APIRouter()
    router.add_api_route("/", operations.page, methods=["GET"], include_in_schema=False)
    given: dict[str, Any] = {"methods": ["GET"], "tags": ["operations"]}
    refusal: dict[int | str, dict[str, Any]] = {503: {}}
    router.add_api_route(
        "/livez", operations.livez, response_model=Alive, responses=refusal, **given
    )
    router.add_api_route(
        "/readyz", operations.readyz, response_model=Ready, responses=refusal, **given
    )
    router.add_api_route("/metrics", operations.metrics, response_class=PlainTextResponse, **given)
    return router


class Alive(BaseModel, frozen=True):
    """The process runs, and so does its encoder."""

    status: Literal["alive"] = "alive"


class StoreState(BaseModel, frozen=True):
    """Whether events are kept; where they are not, why."""

    status: Literal["keeping", "live_only", "memory"]
    problem: str | None = None


class EvidenceState(BaseModel, frozen=True):
    """Whether clips of alerts are kept, and erased in time; where they are not, why."""

    status: Literal["off", "keeping", "failing"]
    problem: str | None = None


class WebhooksState(BaseModel, frozen=True):
    """Whether those who are to be told are, and who is not, and why."""

    status: Literal["telling", "failing"]
    failing: dict[str, str]


class Ready(BaseModel, frozen=True):
    """One more call can be taken."""

    status: Literal["ready"] = "ready"
    model: ModelRef
    store: StoreState
    evidence: EvidenceState
    webhooks: WebhooksState | None = None


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
        return _json(Alive())

    async def readyz(self) -> Response:
        """One more call can be taken; 503 while draining, full or failed."""
        try:
            self._state.check_room()
        except CallRejected as cause:
            return problem(503, str(cause), headers={"retry-after": str(RETRY_AFTER_S)})
        return _json(
            Ready(
                model=self._state.engine.bundle.ref,
                store=self._store(),
                evidence=self._evidence(),
                webhooks=self._webhooks(),
            )
        )

    def _store(self) -> StoreState:
        store = self._state.store
        if store is None:
            return StoreState(status="memory")
        problem = store.journal.problem
        return StoreState(status="keeping" if problem is None else "live_only", problem=problem)

    def _evidence(self) -> EvidenceState:
        keeper = self._state.exhibits.keeper
        problems = [] if keeper is None else [keeper.problem, keeper.overdue]
        if found := [each for each in problems if each is not None]:
            return EvidenceState(status="failing", problem="; ".join(found))
        return EvidenceState(status="keeping" if self._state.exhibits.keeps_clips else "off")

    def _webhooks(self) -> WebhooksState | None:
        if not self._state.webhooks.workers:
            return None
        failing = self._state.webhooks.failing()
        return WebhooksState(status="failing" if failing else "telling", failing=failing)

    async def metrics(self) -> Response:
        """Prometheus' text format."""
        return Response(self._state.metrics.exposition(), media_type=METRICS_TYPE)


def _json(model: BaseModel) -> Response:
    content = model.model_dump_json(exclude_none=True)
    return Response(content, media_type="application/json")
