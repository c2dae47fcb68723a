"""Webhooks over REST: how each fares, a test of one, and enabling it again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from streamtrace.events.wire import stamp
from streamtrace.ports import Clock
from streamtrace.server.problems import Refusal
from streamtrace.server.rate_limit import RateLimit
from streamtrace.server.state import ServerState
from streamtrace.server.webhook_worker import WebhookWorker
from streamtrace.webhooks.answer import Kind
from streamtrace.webhooks.endpoint import Endpoint

NO_SUCH = "no such webhook: `GET /v1/webhooks` lists those of the settings"
TURNED_OFF = "this webhook is turned off: want `enabled = true` in the settings"
TESTS_PER_S = 0.2  # of one endpoint, never two at once
PROBLEM: dict[str, Any] = {"content": {"application/problem+json": {}}}
TIME: dict[str, Any] = {"format": "date-time"}


class WebhookView(BaseModel, frozen=True):
    """An endpoint; times are of the attempts."""

    id: str
    url: str = Field(description="Without its query.")
    events: list[str]
    lines: list[str] | None = Field(description="None: all.")
    state: Literal["telling", "full", "down", "disabled", "off"] = Field(
        description="Full: so much is parked that each event it refuses costs another one."
    )
    disabled_reason: str | None = None
    pending: int = Field(0, description="Events that it has not taken yet.")
    parked: int = Field(0, description="Of them those that it has not taken when asked.")
    failures: int = Field(0, description="Of new events, in a row; with three it is down.")
    failing_since: str | None = Field(None, json_schema_extra=TIME)
    next_attempt: str | None = Field(None, json_schema_extra=TIME)
    last_success: str | None = Field(None, json_schema_extra=TIME)
    last_failure: str | None = Field(None, json_schema_extra=TIME)
    last_error: str | None = None
    refuses: list[str] = Field([], description="Types of which it takes none, but takes others.")
    delivered: int = 0
    dead: int = Field(
        0, description="Events given up after all attempts, or because too much was parked."
    )
    dropped: int = Field(0, description="Events lost: too much waited, or they were not kept.")


class WebhookList(BaseModel, frozen=True):
    """All of the settings."""

    webhooks: list[WebhookView]


class PingResult(BaseModel, frozen=True):
    """What came of a ping."""

    delivered: bool
    status: int | None = Field(description="HTTP's; None if there was no answer.")
    said: str


def routes(state: ServerState) -> APIRouter:
    """`/v1/webhooks…`."""
    webhooks = Webhooks(state)
    router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])
    router.add_api_route("", webhooks.list_webhooks, methods=["GET"], response_model=WebhookList)
    router.add_api_route(
        "/{webhook_id}/test",
        webhooks.test_webhook,
        methods=["POST"],
        response_model=PingResult,
        responses={status: PROBLEM for status in (404, 409, 429)},
    )
    router.add_api_route(
        "/{webhook_id}/enable",
        webhooks.enable_webhook,
        methods=["POST"],
        response_model=WebhookView,
        responses={status: PROBLEM for status in (404, 409, 503)},
    )
    return router


class Webhooks:
    """What is asked about webhooks and done to them."""

    def __init__(self, state: ServerState) -> None:
        self._desk = state.webhooks
        self._clock: Clock = state.clock
        self._tests = RateLimit(TESTS_PER_S)

    async def list_webhooks(self) -> Response:
        """Each with its health; never a secret."""
        views = [await self._view(one) for one in self._desk.receivers.endpoints]
        return _json(WebhookList(webhooks=views))

    async def test_webhook(self, webhook_id: str) -> Response:
        """Post a signed `webhook.ping.v1` now, whatever its health, and say what came of it."""
        worker = self._worker(webhook_id)
        wait_s = self._tests.wait_s(webhook_id, self._clock.now())
        if wait_s:
            raise Refusal(429, "tested just now: wait", {"retry-after": str(wait_s)})
        outcome = await self._desk.ping(worker)
        delivered = outcome.kind is Kind.DELIVERED
        return _json(PingResult(delivered=delivered, status=outcome.status, said=outcome.said))

    async def enable_webhook(self, webhook_id: str) -> Response:
        """End its being disabled or down; what waits is tried again."""
        worker = self._worker(webhook_id)
        await worker.enable()
        return _json(await self._view(worker.endpoint))

    def _worker(self, webhook_id: str) -> WebhookWorker:
        worker = self._desk.workers.get(webhook_id)
        if worker is not None:
            return worker
        if any(one.name == webhook_id for one in self._desk.receivers.endpoints):
            raise Refusal(409, TURNED_OFF)
        raise Refusal(404, NO_SUCH)

    async def _view(self, endpoint: Endpoint) -> WebhookView:
        worker = self._desk.workers.get(endpoint.name)
        return view_of(endpoint, worker, 0 if worker is None else await worker.pending())


def view_of(endpoint: Endpoint, worker: WebhookWorker | None, pending: int) -> WebhookView:
    """What is said about an endpoint; without a worker it is turned off."""
    about: dict[str, Any] = {
        "id": endpoint.name,
        "url": endpoint.shown_url,
        "events": list(endpoint.types),
        "lines": None if endpoint.lines is None else list(endpoint.lines),
    }
    if worker is None:
        return WebhookView(**about, state="off")
    health = worker.health
    return WebhookView(
        **about,
        state=_state(worker),
        disabled_reason=health.disabled,
        pending=pending,
        parked=len(worker.parked),
        failures=health.failures,
        failing_since=_time(health.failing_since_s),
        next_attempt=_time(health.not_before_s or None),
        last_success=_time(health.last_success_s),
        last_failure=_time(health.last_failure_s),
        last_error=health.last_failure,
        refuses=list(health.refuses),
        delivered=health.delivered,
        dead=health.dead,
        dropped=health.dropped,
    )


def _state(worker: WebhookWorker) -> Literal["telling", "full", "down", "disabled"]:
    if worker.health.disabled is not None:
        return "disabled"
    if worker.health.is_down:
        return "down"
    return "full" if worker.is_full else "telling"


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else stamp(datetime.fromtimestamp(seconds, UTC))


def _json(body: BaseModel) -> Response:
    return Response(body.model_dump_json(), media_type="application/json")
