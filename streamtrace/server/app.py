"""The ASGI application: every route of the one port."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.staticfiles import StaticFiles

import streamtrace
from streamtrace.server import (
    alerts,
    calls,
    exhibits,
    gate,
    headers,
    limits,
    operations,
    problems,
    session_routes,
    streams,
    webhooks,
    whip,
)
from streamtrace.server.api.asyncapi import asyncapi
from streamtrace.server.api.openapi import openapi
from streamtrace.server.doors import platforms
from streamtrace.server.local import LocalSwitchboard
from streamtrace.server.state import ServerState

ABOUT = "Is the voice on the line human or synthetic, which system made it, and how sure is that."


def create_app(state: ServerState) -> FastAPI:
    """All routes on this state, which must be entered before the first request."""
    app = FastAPI(
        title="StreamTrace",
        version=streamtrace.__version__,
        description=ABOUT,
        docs_url=None,  # both pages load scripts from elsewhere
        redoc_url=None,
        generate_unique_id_function=_name,
    )
    app.openapi = lambda: openapi(app)
    told = JSONResponse(asyncapi())
    app.add_api_route("/asyncapi.json", lambda: told, methods=["GET"], include_in_schema=False)
    problems.install(app)
    app.add_middleware(limits.BodyLimit, most_bytes=state.settings.frame_limit_bytes)
    app.add_middleware(
        gate.Gate,
        tokens=state.tokens,
        sign_ins=state.sign_ins,
        now_s=lambda: state.clock.utc().timestamp(),
    )
    app.add_middleware(headers.SecurityHeaders)
    for part in (operations, session_routes, calls, alerts, exhibits, streams, webhooks):
        app.include_router(part.routes(state))
    for way_in in (platforms, whip):
        app.include_router(way_in.routes(LocalSwitchboard(state)))
    app.mount("/static", StaticFiles(directory=operations.STATIC, check_dir=False), name="static")
    return app


def _name(route: APIRoute) -> str:
    """What clients made from the description call it; a test asks that it be one route's alone."""
    return route.name
