"""Spectrograms and clips over REST: pictures for whoever asks, sound for whoever says who asks."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from streamtrace.alerts.alert import MOST_NAME
from streamtrace.errors import AlertConflict, EvidenceBroken
from streamtrace.events.alerts import Alert
from streamtrace.events.wire import stamp
from streamtrace.server.alerts import NO_SUCH_ALERT
from streamtrace.server.gate import person_of
from streamtrace.server.problems import Refusal
from streamtrace.server.state import ServerState
from streamtrace.server.streams import NO_SUCH_CALL
from streamtrace.values import Leg

PNG, WAV = "image/png", "audio/wav"
PROBLEM: dict[str, Any] = {"content": {"application/problem+json": {}}}
NO_PICTURE: dict[str, Any] = {"description": "Known, and no spectrogram of it is held."}
NO_CLIP = "no clip: clips are not kept here (evidence_clips), or it has expired"
FRESH = {"cache-control": "no-store"}


class SpectrogramView(BaseModel, frozen=True):
    """What an alert's picture shows, in call time."""

    start_ms: int
    end_ms: int


class ClipView(BaseModel, frozen=True):
    """A clip that can be played."""

    expires_at: str = Field(json_schema_extra={"format": "date-time"})


class ExhibitsView(BaseModel, frozen=True):
    """What there is of an alert to look at and to listen to."""

    spectrogram: SpectrogramView | None
    clip: ClipView | None


def routes(state: ServerState) -> APIRouter:
    """`…/spectrogram.png`, `…/exhibits` and `…/clip`."""
    asked = Exhibits(state)
    router = APIRouter(prefix="/v1")
    picture: dict[int | str, dict[str, Any]] = {
        200: {"content": {PNG: {}}},
        204: NO_PICTURE,
        404: PROBLEM,
    }
    router.add_api_route(
        "/calls/{call_id}/spectrogram.png",
        asked.of_call,
        methods=["GET"],
        tags=["calls"],
        response_class=Response,
        responses=picture | {422: PROBLEM},
    )
    router.add_api_route(
        "/alerts/{alert_id}/spectrogram.png",
        asked.of_alert,
        methods=["GET"],
        tags=["alerts"],
        response_class=Response,
        responses=picture,
    )
    router.add_api_route(
        "/alerts/{alert_id}/exhibits",
        asked.exhibits,
        methods=["GET"],
        tags=["alerts"],
        response_model=ExhibitsView,
        responses={404: PROBLEM},
    )
    router.add_api_route(
        "/alerts/{alert_id}/clip",
        asked.clip,
        methods=["GET"],
        tags=["alerts"],
        response_class=Response,
        responses={200: {"content": {WAV: {}}}, 404: PROBLEM, 422: PROBLEM, 503: PROBLEM},
    )
    return router


class Exhibits:
    """What is asked, in plain requests."""

    def __init__(self, state: ServerState) -> None:
        self._state = state

    async def of_call(
        self,
        call_id: str,
        leg: Leg = Leg.CALLER,
        start_ms: Annotated[int | None, Query(ge=0, description="None: its beginning.")] = None,
        end_ms: Annotated[int | None, Query(ge=0, description="None: now.")] = None,
    ) -> Response:
        """A leg's spectrogram: of a live call, or of one with an alert that memory still holds."""
        if await self._state.archive.find(call_id) is None:
            raise Refusal(404, NO_SUCH_CALL)
        return _picture(self._state.exhibits.of_leg(call_id, leg, start_ms, end_ms))

    async def of_alert(self, alert_id: str) -> Response:
        """Around what spoke for the alert, which is marked."""
        alert = await self._alert(alert_id)
        try:
            return _picture(await self._state.exhibits.picture(alert))
        except EvidenceBroken as failure:
            raise Refusal(500, str(failure)) from None

    async def exhibits(self, alert_id: str) -> Response:
        """What there is of it."""
        alert, desk = await self._alert(alert_id), self._state.exhibits
        try:
            stretch = await desk.stretch(alert)
        except EvidenceBroken:
            stretch = None
        expires = await desk.clip_expiry(alert)
        view = ExhibitsView(
            spectrogram=stretch
            and SpectrogramView(start_ms=stretch.start_ms, end_ms=stretch.end_ms),
            clip=expires and ClipView(expires_at=stamp(expires)),
        )
        return Response(view.model_dump_json(), headers=FRESH, media_type="application/json")

    async def clip(
        self,
        alert_id: str,
        request: Request,
        actor: Annotated[
            str, Query(min_length=1, max_length=MOST_NAME, description="Who listens; audited.")
        ],
    ) -> Response:
        """What spoke for the alert, to listen to; silence where nothing did. Every play is audited
        before it is given."""
        alert = await self._alert(alert_id)
        if (person := person_of(request)) is not None:
            actor = person.name
        try:
            clip = await self._state.exhibits.play(alert, actor)
        except AlertConflict as refusal:
            raise Refusal(refusal.http_status, str(refusal)) from None
        except EvidenceBroken as failure:
            raise Refusal(500, str(failure)) from None
        if clip is None:
            raise Refusal(404, NO_CLIP)
        headers = FRESH | {"x-start-ms": str(clip.start_ms)}
        return Response(clip.wav(), headers=headers, media_type=WAV)

    async def _alert(self, alert_id: str) -> Alert:
        alert = await self._state.desk.book.find(alert_id)
        if alert is None:
            raise Refusal(404, NO_SUCH_ALERT)
        return alert


def _picture(png: bytes | None) -> Response:
    return Response(status_code=204) if png is None else Response(png, 200, FRESH, PNG)
