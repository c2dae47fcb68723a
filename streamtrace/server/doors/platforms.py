"""Every platform that has a door here, and the routes of them all."""

from __future__ import annotations

from fastapi import APIRouter

from streamtrace.server.doors import (
    asterisk,
    audiohook,
    exotel,
    pcm,
    plivo,
    signalwire,
    telnyx,
    twilio,
)
from streamtrace.server.ingest import Ingest
from streamtrace.server.switchboard import Switchboard

PLATFORMS = (twilio, signalwire, telnyx, plivo, exotel, audiohook, asterisk, pcm)


def routes(board: Switchboard) -> APIRouter:
    """`/v1/ingest/…`."""
    ingest = Ingest(board)
    router = APIRouter()
    for platform in PLATFORMS:
        router.include_router(platform.routes(ingest))
    return router
