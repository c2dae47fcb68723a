"""Alerts over REST: listed, looked up, and decided by people; SSE shares the list's route."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel

from streamtrace.alerts.alert import Wish
from streamtrace.errors import AlertConflict, StoreFailed
from streamtrace.events.alert_views import (
    AlertDecision,
    AlertPage,
    AlertView,
    AuditTrail,
)
from streamtrace.events.alerts import Alert, AlertAction, AlertState, Severity
from streamtrace.events.wire import padded
from streamtrace.server.alert_book import Wanted
from streamtrace.server.alert_views import alert_view, audit_view
from streamtrace.server.gate import person_of
from streamtrace.server.problems import RETRY_AFTER_S, Refusal
from streamtrace.server.query import whole_number
from streamtrace.server.state import ServerState
from streamtrace.server.streams import Streams, alert_feed
from streamtrace.sinks.sse import MEDIA_TYPE as SSE
from streamtrace.values import Leg

MOST_ALERTS = 1_000
NO_SUCH_ALERT = "no such alert: it was never here, or its call ended too long ago to be kept"
ETAG = re.compile(r'"(\d{1,9})"')

PEOPLE_DO = (
    AlertAction.ACK,
    AlertAction.ASSIGN,
    AlertAction.ESCALATE,
    AlertAction.DISMISS,
    AlertAction.RESOLVE,
)
PROBLEM: dict[str, Any] = {"content": {"application/problem+json": {}}}
ETAGGED: dict[str, Any] = {
    "headers": {
        "ETag": {
            "schema": {"type": "string"},
            "description": "Its version, which a decision names in `If-Match`.",
        }
    }
}


def routes(state: ServerState) -> APIRouter:
    """`/v1/alerts…`."""
    alerts = Alerts(state)
    router = APIRouter(prefix="/v1/alerts", tags=["alerts"])
    router.add_api_route(
        "",
        alerts.list_alerts,
        methods=["GET"],
        response_model=AlertPage,
        responses={200: {"content": {SSE: {}}}, 422: PROBLEM, 503: PROBLEM},
    )
    router.add_api_route(
        "/{alert_id}",
        alerts.get_alert,
        methods=["GET"],
        response_model=AlertView,
        responses={200: ETAGGED, 404: PROBLEM, 503: PROBLEM},
    )
    router.add_api_route(
        "/{alert_id}/audit",
        alerts.get_audit,
        methods=["GET"],
        response_model=AuditTrail,
        responses={404: PROBLEM, 503: PROBLEM},
    )
    decided: dict[int | str, dict[str, Any]] = {200: ETAGGED}
    decided |= dict.fromkeys((404, 409, 412, 422, 428, 503), PROBLEM)
    for action in PEOPLE_DO:
        router.add_api_route(
            f"/{{alert_id}}/{action.value}",
            alerts.deciding(action),
            methods=["POST"],
            operation_id=f"{action.value}_alert",
            summary=f"{action.value.capitalize()} an alert",
            response_model=AlertView,
            responses=decided,
        )
    return router


class Alerts:
    """What is asked about alerts and done to them, in plain requests."""

    def __init__(self, state: ServerState) -> None:
        self._state = state
        self._streams = Streams(state)

    async def list_alerts(
        self,
        state: Annotated[list[AlertState] | None, Query(description="May be repeated.")] = None,
        severity: Severity | None = None,
        line: Annotated[str | None, Query(max_length=256)] = None,
        leg: Leg | None = None,
        call_id: Annotated[str | None, Query(max_length=64)] = None,
        after: Annotated[
            str | None,
            Query(max_length=64, description="The id of the last one seen; of SSE, a sequence."),
        ] = None,
        limit: Annotated[int, Query(ge=1, le=MOST_ALERTS)] = 100,
        accept: Annotated[str, Header()] = "",
        last_event_id: Annotated[str | None, Header()] = None,
    ) -> Response:
        """Alerts; with `Accept: text/event-stream`, what happens to all of them as it happens."""
        desk = self._state.desk
        if SSE in accept:
            cursor = whole_number("after", after or "0")
            if last_event_id is not None:
                cursor = whole_number("Last-Event-ID", last_event_id)
            return self._streams.sse(alert_feed(desk, self._state.clock), cursor)
        sequence = desk.channel.log.newest  # before the list: what follows may repeat, never lack
        wanted = Wanted(state, severity, line, leg, call_id, after)
        found = await desk.book.newest_first(wanted, limit + 1)
        page = AlertPage(
            alerts=[alert_view(alert) for alert in found[:limit]],
            next=found[limit - 1].id if len(found) > limit else None,
            sequence=padded(sequence),
            feed=desk.feed,
        )
        return _json(page)

    async def get_alert(self, alert_id: str) -> Response:
        """One alert with its evidence; its ETag is what a decision names in `If-Match`."""
        alert = await self._state.desk.book.find(alert_id)
        if alert is None:
            raise Refusal(404, NO_SUCH_ALERT)
        return _alert(alert)

    async def get_audit(self, alert_id: str) -> Response:
        """All that was done to it."""
        entries = await self._state.desk.book.audit(alert_id)
        if entries is None:
            raise Refusal(404, NO_SUCH_ALERT)
        return _json(AuditTrail(entries=[audit_view(entry) for entry in entries]))

    def deciding(self, action: AlertAction) -> Callable[..., Awaitable[Response]]:
        """The route of an action."""

        async def decide(
            alert_id: str,
            decision: AlertDecision,
            request: Request,
            if_match: Annotated[
                str | None, Header(description="The ETag of the alert that was looked at.")
            ] = None,
        ) -> Response:
            """Answered when it is kept."""
            given = dict(decision)
            if (person := person_of(request)) is not None:
                given["actor"] = person.name
            wish = Wish(action=action, version=_version(if_match), **given)
            return await self._decide(alert_id, wish)

        return decide

    async def _decide(self, alert_id: str, wish: Wish) -> Response:
        desk = self._state.desk
        try:
            alert = await desk.act(alert_id, wish)
        except AlertConflict as refusal:
            now = await desk.book.find(alert_id)
            headers = None if now is None else {"etag": _etag(now)}
            raise Refusal(refusal.http_status, str(refusal), headers) from None
        except StoreFailed as failure:
            raise Refusal(503, str(failure), {"retry-after": str(RETRY_AFTER_S)}) from None
        if alert is None:
            raise Refusal(404, NO_SUCH_ALERT)
        return _alert(alert)


def _version(if_match: str | None) -> int:
    """0, which no alert has, where it is no ETag of ours."""
    if if_match is None or if_match.strip() == "*":
        raise Refusal(428, "If-Match: want the ETag of the alert that you decide on")
    found = ETAG.fullmatch(if_match.strip())
    return int(found[1]) if found else 0


def _etag(alert: Alert) -> str:
    return f'"{alert.version}"'


def _alert(alert: Alert) -> Response:
    return _json(alert_view(alert), {"etag": _etag(alert), "cache-control": "no-cache"})


def _json(model: BaseModel, headers: dict[str, str] | None = None) -> Response:
    content = model.model_dump_json(by_alias=True)
    return Response(content, 200, headers, media_type="application/json")
