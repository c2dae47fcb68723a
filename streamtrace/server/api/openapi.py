"""OpenAPI 3.1 of every REST route: FastAPI's own, with our refusals in it.

A route declares its model and the statuses that it may refuse with; that each refusal is
problem+json, and how that looks, is said here for all of them.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from streamtrace.server.problems import MEDIA_TYPE as PROBLEM_TYPE, Problem
from streamtrace.sinks.sse import MEDIA_TYPE as SSE

REFUSAL = {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
EVENTS = {
    "type": "string",
    "description": "Server-Sent Events: `id` is the sequence, `data` an event; see /asyncapi.json.",
}
FASTAPI_S_OWN = ("HTTPValidationError", "ValidationError")  # no route answers in its form
TAGS = [
    {"name": "calls", "description": "Calls and their events."},
    {"name": "alerts", "description": "Alerts, and what people decide about them."},
    {"name": "whip", "description": "WebRTC in, by WHIP (RFC 9725)."},
    {"name": "operations", "description": "For orchestrators and scrapers."},
]
LOCK = {
    "ingest_token": {
        "type": "http",
        "scheme": "bearer",
        "description": "The setting `ingest_token`, where there is one; also as Basic password.",
    }
}

Document = dict[str, Any]


def openapi(app: FastAPI) -> Document:
    """The document, made once."""
    if not app.openapi_schema:
        app.openapi_schema = _told(
            get_openapi(
                title=app.title,
                version=app.version,
                description=app.description,
                routes=app.routes,
                tags=TAGS,
                license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
                servers=[{"url": "/"}],
            )
        )
    return app.openapi_schema


def _told(document: Document) -> Document:
    for path in document["paths"].values():
        for operation in path.values():
            _with_refusals(operation["responses"])
    schemas: Document = document["components"]["schemas"]
    for name in FASTAPI_S_OWN:
        schemas.pop(name, None)
    schemas["Problem"] = Problem.model_json_schema(mode="serialization")
    document["components"]["schemas"] = dict(sorted(schemas.items()))
    document["components"]["securitySchemes"] = LOCK
    return document


def _with_refusals(responses: Document) -> None:
    for status, response in responses.items():
        if status.startswith(("4", "5")):
            response["content"] = REFUSAL
        elif SSE in response.get("content", {}):
            response["content"][SSE] = {"schema": EVENTS}
    responses["default"] = {"description": "Any other refusal", "content": REFUSAL}
