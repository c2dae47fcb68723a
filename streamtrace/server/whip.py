"""WHIP (RFC 9725): POST an offer to `/whip/{line}`, PATCH late candidates, DELETE to hang up."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from functools import partial
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from pydantic import SecretStr

from streamtrace.errors import CallRejected
from streamtrace.ice_hosts import LOOPBACK_HOSTS
from streamtrace.loopback import is_loopback
from streamtrace.server.api import whip as told
from streamtrace.server.api.whip import SDP, SDP_FRAGMENT
from streamtrace.server.credentials import require_token
from streamtrace.server.ice_links import ice_links
from streamtrace.server.problems import Refusal, problem, rejection
from streamtrace.server.query import MOST_NAME, name
from streamtrace.server.rate_limit import RateLimit
from streamtrace.server.switchboard import IngestCall, Switchboard
from streamtrace.sources.offer import (
    Offer,
    OfferMalformed,
    OfferUnsupported,
    read_offer,
    read_trickle,
)
from streamtrace.sources.ring import AudioRing
from streamtrace.sources.webrtc import WebRtcSettings, WebRtcSource

MOST_SDP_BYTES = 32 * 1024
NO_SESSION = "no such session: it has ended, or never was"

CROSS_ORIGIN = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": (
        "Location, ETag, Link, Retry-After, Accept-Post, Accept-Patch, WWW-Authenticate,"
        " Streamtrace-Call-Id"
    ),
}
PREFLIGHT = CROSS_ORIGIN | {
    "accept-post": SDP,
    "access-control-allow-methods": "OPTIONS, GET, HEAD, POST, PATCH, DELETE",
    "access-control-allow-headers": "Authorization, Content-Type, If-Match",
    "access-control-max-age": "600",
}


@dataclass(frozen=True, slots=True, eq=False)
class WhipSession:
    """A caller between its POST and the end of its call."""

    source: WebRtcSource
    etag: str


def routes(board: Switchboard) -> APIRouter:
    """The endpoint of every line, and the URLs of the sessions it hands out."""
    endpoint = WhipEndpoint(board)
    router = APIRouter(tags=["whip"])
    line, session = "/whip/{line}", "/whip/{line}/{session_id}"
    add = partial(router.add_api_route, response_class=Response)
    add(line, endpoint.post, methods=["POST"], status_code=201, **told.POST)
    add(line, endpoint.get, methods=["GET"], status_code=204, **told.GET)
    add(line, endpoint.get, methods=["HEAD"], status_code=204, **told.HEAD)
    add(line, endpoint.options, methods=["OPTIONS"], **told.OPTIONS)
    add(session, endpoint.patch, methods=["PATCH"], status_code=204, **told.PATCH)
    add(session, endpoint.delete, methods=["DELETE"], **told.DELETE)
    add(session, endpoint.get_session, methods=["GET"], status_code=204, **told.GET_SESSION)
    add(session, endpoint.get_session, methods=["HEAD"], status_code=204, **told.HEAD_SESSION)
    add(session, endpoint.options_of_session, methods=["OPTIONS"], **told.OPTIONS_OF_SESSION)
    return router


class WhipEndpoint:
    """Every open session by its unguessable id."""

    def __init__(self, board: Switchboard) -> None:
        self._board = board
        given = board.settings
        hosts = given.webrtc_hosts or (LOOPBACK_HOSTS if is_loopback(given.host) else None)
        self._settings = WebRtcSettings(
            hosts=hosts,
            loopback_only=hosts is not None and all(is_loopback(host) for host in hosts),
            ice_servers=given.ice_servers,
            ice_username=given.ice_username,
            ice_credential=_secret(given.ice_credential),
            start_s=given.start_timeout_s,
            idle_s=given.media_idle_timeout_s,
        )
        self._links = ice_links(given)
        self._rate = RateLimit(given.whip_requests_per_s)
        self._sessions: dict[str, WhipSession] = {}

    async def post(self, line: str, request: Request) -> Response:
        """A caller's offer: 201 with our answer, and its call has begun."""
        try:
            self._check(request, counted=True)
            offer = read_offer(
                await _text(request, SDP), loopback_only=self._settings.loopback_only
            )
            if len(line) > MOST_NAME or not line.isprintable():
                raise Refusal(
                    422, f"the line's name: want at most {MOST_NAME} printable characters"
                )
            return await self._begin(line, name(request, "external_id"), offer)
        except Refusal as refusal:
            return _readable(refusal)
        except OfferMalformed as malformed:
            return _readable(Refusal(400, str(malformed)))
        except OfferUnsupported as unsupported:
            return _readable(Refusal(422, str(unsupported)))
        except CallRejected as rejected:
            return self._elsewhere(request) or _readable(rejection(rejected))

    async def patch(self, session_id: str, request: Request) -> Response:
        """Candidates that came late; an ICE restart is refused and harms nothing."""
        try:
            self._check(request, counted=True)
            session = self._sessions.get(session_id)
            if session is None:
                raise Refusal(404, NO_SESSION)
            fragment = read_trickle(await _text(request, SDP_FRAGMENT))
            match = request.headers.get("if-match")
            if match is None:
                raise Refusal(428, "want an If-Match header with the session's ETag")
            ufrag = session.source.offer.ice_ufrag
            if fragment.ice_ufrag not in (None, ufrag):
                raise Refusal(422, "ICE cannot be restarted here: place a new call")
            if not _matches(match, session.etag):
                raise Refusal(412, "If-Match is not this session's ETag")
            await session.source.add_candidates(fragment)
            return Response(status_code=204, headers=CROSS_ORIGIN)
        except Refusal as refusal:
            return _readable(refusal)
        except OfferMalformed as malformed:
            return _readable(Refusal(400, str(malformed)))

    async def delete(self, session_id: str, request: Request) -> Response:
        """The caller hangs up; any If-Match is ignored."""
        try:
            self._check(request, counted=True)
        except Refusal as refusal:
            return _readable(refusal)
        session = self._sessions.pop(session_id, None)
        if session is None:
            return _readable(Refusal(404, NO_SESSION))
        session.source.hang_up()
        return Response(headers=CROSS_ORIGIN)

    async def get(self, request: Request) -> Response:
        """Nothing to see, but the URL is right."""
        try:
            self._check(request, counted=False)
        except Refusal as refusal:
            return _readable(refusal)
        return Response(status_code=204, headers=CROSS_ORIGIN)

    async def get_session(self, session_id: str, request: Request) -> Response:
        """Likewise for a session."""
        try:
            self._check(request, counted=False)
            if session_id not in self._sessions:
                raise Refusal(404, NO_SESSION)
        except Refusal as refusal:
            return _readable(refusal)
        return Response(status_code=204, headers=CROSS_ORIGIN)

    async def options(self) -> Response:
        """What may be posted, also for browsers' preflights."""
        return Response(headers=PREFLIGHT)

    async def options_of_session(self) -> Response:
        """What a session takes."""
        return Response(headers=PREFLIGHT | {"accept-patch": SDP_FRAGMENT})

    def _check(self, request: Request, *, counted: bool) -> None:
        """Who asks may ask, and does not ask too often; wrong tokens count too."""
        if counted:
            address = "" if request.client is None else request.client.host
            wait_s = self._rate.wait_s(address, self._board.clock.now())
            if wait_s:
                raise Refusal(
                    429, "too many requests from this address", {"retry-after": str(wait_s)}
                )
        require_token(request, self._board.settings)

    def _elsewhere(self, request: Request) -> Response | None:
        """307 to where there may be room: the caller repeats its request there."""
        url = self._board.settings.overflow_url
        if url is None:
            return None
        target = url.rstrip("/") + request.url.path
        query = f"?{request.url.query}" if request.url.query else ""
        return Response(status_code=307, headers=CROSS_ORIGIN | {"location": target + query})

    def _ring(self) -> AudioRing:
        return AudioRing(
            most_age_s=self._board.settings.ring_ms / 1000,
            on_drop=self._board.audio_dropped,
        )

    async def _begin(self, line: str, external_id: str | None, offer: Offer) -> Response:
        async with self._board.seat() as seat:  # before anything is spent on it
            source = WebRtcSource(offer, self._settings, self._board.clock, self._ring())
            try:
                answer = await source.answer()
                call = await seat.start_call(external_id=external_id, line=line, protocol="whip")
            except BaseException:
                await source.close()
                raise
        session_id = self._board.new_session_id()
        session = WhipSession(source, etag=f'"{secrets.token_hex(8)}"')
        self._sessions[session_id] = session
        self._board.spawn(self._screen(session_id, source, call))
        headers = (
            CROSS_ORIGIN
            | self._links
            | {
                "location": f"/whip/{quote(line, safe='')}/{session_id}",
                "etag": session.etag,
                "streamtrace-call-id": call.id,
            }
        )
        return Response(answer, 201, headers, media_type=SDP)

    async def _screen(self, session_id: str, source: WebRtcSource, call: IngestCall) -> None:
        try:
            await call.run(source)
        finally:
            self._sessions.pop(session_id, None)
            await source.close()


async def _text(request: Request, wanted: str) -> str:
    """The body, if it is of the wanted type and of bearable size."""
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given != wanted:
        accept = {"accept-post" if wanted == SDP else "accept-patch": wanted}
        raise Refusal(415, f"Content-Type is {given or 'missing'}: want {wanted}", accept)
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MOST_SDP_BYTES:
            raise Refusal(413, f"the body is larger than {MOST_SDP_BYTES} bytes")
    try:
        return body.decode()
    except UnicodeDecodeError as cause:
        raise Refusal(400, "the body is not UTF-8 text") from cause


def _secret(kept: SecretStr | None) -> str | None:
    return None if kept is None else kept.get_secret_value()


def _matches(header: str, etag: str) -> bool:
    """By strong comparison (RFC 9110, 13.1.1): a weak tag never matches."""
    return header.strip() == "*" or etag in (tag.strip() for tag in header.split(","))


def _readable(refusal: Refusal) -> Response:
    """problem+json that a page of any origin may read."""
    return problem(
        refusal.status, refusal.detail, headers=CROSS_ORIGIN | dict(refusal.headers or {})
    )
