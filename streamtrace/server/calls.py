"""Calls over REST: announced, listed, looked up, and their events page by page."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel

from streamtrace.events.views import (
    AnnouncedView,
    Announcement,
    CallPage,
    CallState,
    CallView,
    EventPage,
)
from streamtrace.events.wire import padded
from streamtrace.protocols.audiosocket import PROTOCOL as AUDIOSOCKET
from streamtrace.server.archive import KnownCall
from streamtrace.server.credentials import require_token
from streamtrace.server.problems import Refusal
from streamtrace.server.query import whole_number
from streamtrace.server.state import ANNOUNCED, ServerState
from streamtrace.server.streams import NO_SUCH_CALL, Streams, call_story
from streamtrace.sinks.sse import MEDIA_TYPE as SSE

MOST_CALLS = 1_000
MOST_EVENTS = 1_000

PROBLEM: dict[str, Any] = {"content": {"application/problem+json": {}}}


def routes(state: ServerState) -> APIRouter:
    """`/v1/calls…`."""
    calls = Calls(state)
    router = APIRouter(prefix="/v1/calls", tags=["calls"])
    router.add_api_route(
        "",
        calls.announce,
        methods=["POST"],
        status_code=201,
        response_model=AnnouncedView,
        openapi_extra={"security": [{}, {"ingest_token": []}]},
        responses={401: PROBLEM, 409: PROBLEM, 422: PROBLEM, 503: PROBLEM},
    )
    router.add_api_route(
        "", calls.list_calls, methods=["GET"], response_model=CallPage, responses={422: PROBLEM}
    )
    router.add_api_route(
        "/{call_id}",
        calls.get_call,
        methods=["GET"],
        response_model=CallView,
        responses={404: PROBLEM},
    )
    router.add_api_route(
        "/{call_id}/events",
        calls.get_events,
        methods=["GET"],
        response_model=EventPage,
        responses={200: {"content": {SSE: {}}}, 404: PROBLEM, 422: PROBLEM},
    )
    return router


class Calls:
    """What is asked about calls, in plain requests."""

    def __init__(self, state: ServerState) -> None:
        self._state = state
        self._streams = Streams(state)

    async def announce(self, announcement: Announcement, request: Request) -> Response:
        """Expect a call, once: its events can be followed before it comes."""
        state = self._state
        require_token(request, state.settings)
        external_id = announcement.external_id
        if announcement.protocol == AUDIOSOCKET:
            if state.settings.audiosocket_port is None:
                raise Refusal(422, "protocol: AudioSocket is off here; set audiosocket_port")
            external_id = _uuid(external_id)
        live = state.announce(external_id, announcement.line, announcement.protocol or ANNOUNCED)
        if live is None:
            raise Refusal(409, "a call with this external_id is announced or live already")
        expires = state.clock.utc() + timedelta(seconds=state.settings.announced_s)
        view = AnnouncedView(
            **dict(live.view()),
            expires=expires.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            audiosocket_port=state.settings.audiosocket_port,
        )
        return _json(view, 201, {"location": f"/v1/calls/{live.id}"})

    async def list_calls(
        self,
        state: CallState | None = None,
        external_id: Annotated[str | None, Query(max_length=256)] = None,
        after: Annotated[str | None, Query(max_length=64)] = None,
        limit: Annotated[int, Query(ge=1, le=MOST_CALLS)] = 100,
    ) -> Response:
        """Calls, newest first; `after` is the id of the last one seen."""
        calls = await self._state.archive.newest_first(
            state=state, external_id=external_id, after=after, most=limit + 1
        )
        more = calls[limit - 1].id if len(calls) > limit else None
        return _json(CallPage(calls=calls[:limit], next=more))

    async def get_call(self, call_id: str) -> Response:
        """One call."""
        return _json((await self._call(call_id)).view())

    async def get_events(
        self,
        call_id: str,
        after: Annotated[str, Query(description="A sequence; 0 is before all.")] = "0",
        limit: Annotated[int, Query(ge=1, le=MOST_EVENTS)] = 100,
        accept: Annotated[str, Header()] = "",
        last_event_id: Annotated[str | None, Header()] = None,
    ) -> Response:
        """A page of events; with `Accept: text/event-stream`, all of them as they come."""
        call = await self._call(call_id)
        cursor = whole_number("after", after)
        if SSE in accept:
            if last_event_id is not None:
                cursor = whole_number("Last-Event-ID", last_event_id)
            return self._streams.sse(call_story(call, self._state.clock), cursor)
        events = await call.channel.page(cursor, limit)
        is_more = bool(events) and events[-1].number < call.channel.log.newest
        after_page = f'"{padded(events[-1].number)}"' if is_more else "null"
        # As an `EventPage`, of events that are JSON already.
        page = f'{{"events":[{",".join(event.text for event in events)}],"next":{after_page}}}'
        return Response(page, media_type="application/json")

    async def _call(self, call_id: str) -> KnownCall:
        call = await self._state.archive.find(call_id)
        if call is None:
            raise Refusal(404, NO_SUCH_CALL)
        return call


def _uuid(text: str) -> str:
    """In the one form that it has in events."""
    try:
        return str(UUID(text))
    except ValueError:
        raise Refusal(422, "external_id: want a UUID, which is all that AudioSocket says") from None


def _json(model: BaseModel, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Serialised once, as the model says."""
    content = model.model_dump_json(by_alias=True)
    return Response(content, status, headers, media_type="application/json")
