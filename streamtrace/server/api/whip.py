"""WHIP's routes in OpenAPI's words, for they read requests themselves."""

from __future__ import annotations

from typing import Any

SDP = "application/sdp"
SDP_FRAGMENT = "application/trickle-ice-sdpfrag"

LINE = {"name": "line", "in": "path", "required": True, "schema": {"type": "string"}}
EXTERNAL_ID = {
    "name": "external_id",
    "in": "query",
    "required": False,
    "schema": {"type": "string", "maxLength": 256},
    "description": "The caller's own id of the call; in every event.",
}
IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": True,
    "schema": {"type": "string"},
    "description": "The session's ETag.",
}
LOCKED: list[dict[str, list[str]]] = [{}, {"ingest_token": []}]
TEXT = {"schema": {"type": "string"}}
BEGUN = {
    "description": "The call has begun; the body is our answer.",
    "content": {SDP: {"schema": {"type": "string"}}},
    "headers": {
        "Location": TEXT | {"description": "The session, to be patched and deleted."},
        "ETag": TEXT | {"description": "What a PATCH names in `If-Match`."},
        "Link": TEXT | {"description": "ICE servers, where there are any."},
        "Streamtrace-Call-Id": TEXT | {"description": "The call in /v1/calls."},
    },
}
ELSEWHERE = {"description": "Full; there may be room at `Location`.", "headers": {"Location": TEXT}}
WITH_POST = {"description": "What may be posted.", "headers": {"Accept-Post": TEXT}}
WITH_PATCH = WITH_POST | {"headers": {"Accept-Post": TEXT, "Accept-Patch": TEXT}}


def _described(
    name: str,
    summary: str,
    refused: tuple[int, ...],
    *,
    answers: dict[int | str, dict[str, Any]] | None = None,
    body: str | None = None,
    parameters: tuple[dict[str, Any], ...] = (),
) -> dict[str, Any]:
    extra: dict[str, Any] = {"security": LOCKED, "parameters": list(parameters)}
    if body is not None:
        content = {body: {"schema": {"type": "string"}}}
        extra["requestBody"] = {"required": True, "content": content}
    problems: dict[int | str, dict[str, Any]] = {status: {} for status in refused}
    return {
        "operation_id": name,
        "summary": summary,
        "responses": (answers or {}) | problems,
        "openapi_extra": extra,
    }


POST = _described(
    "place_call",
    "Place a call with an offer",
    (400, 401, 403, 413, 415, 422, 429, 503),
    answers={201: BEGUN, 307: ELSEWHERE},
    body=SDP,
    parameters=(EXTERNAL_ID,),
)
GET = _described("see_line", "See that a line is there", (401,), parameters=(LINE,))
HEAD = _described("head_line", "See that a line is there", (401,), parameters=(LINE,))
OPTIONS = _described(
    "line_options", "Say what a line takes", (), answers={200: WITH_POST}, parameters=(LINE,)
)
PATCH = _described(
    "add_candidates",
    "Add ICE candidates",
    (400, 401, 404, 412, 413, 415, 422, 428, 429),
    body=SDP_FRAGMENT,
    parameters=(LINE, IF_MATCH),
)
DELETE = _described("hang_up", "Hang up", (401, 404, 429), parameters=(LINE,))
GET_SESSION = _described(
    "see_session", "See that a session is there", (401, 404), parameters=(LINE,)
)
HEAD_SESSION = _described(
    "head_session", "See that a session is there", (401, 404), parameters=(LINE,)
)
SESSION = {"name": "session_id", "in": "path", "required": True, "schema": {"type": "string"}}
OPTIONS_OF_SESSION = _described(
    "session_options",
    "Say what a session takes",
    (),
    answers={200: WITH_PATCH},
    parameters=(LINE, SESSION),
)
