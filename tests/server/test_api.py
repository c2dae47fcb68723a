"""OpenAPI and AsyncAPI are what the server is: its routes, its models, and what it really sends."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, APIWebSocketRoute, iter_route_contexts
from openapi_spec_validator import validate
from starlette.routing import WebSocketRoute

from streamtrace.server.api.__main__ import COMMITTED, described, documents, text_of
from streamtrace.server.api.channels import CHANNELS, Carrier
from streamtrace.webhooks.endpoint import TOLD
from tests.client.speaking import MILD, speak
from tests.live_server import live_server
from tests.server.peers import http, messages, ws

SPECS = Path(__file__).parents[2] / "streamtrace/dashboard/node_modules/@asyncapi/specs"
ANEW = "run `make api` and commit what it writes"
UNTOLD = {"/", "/openapi.json", "/asyncapi.json"}  # the page, and the documents themselves
Document = dict[str, Any]


@pytest.fixture(scope="module")
def app() -> FastAPI:
    return described()


@pytest.fixture(scope="module")
def told(app: FastAPI) -> dict[str, Document]:
    return documents(app)


@pytest.fixture(scope="module")
def openapi(told: dict[str, Document]) -> Document:
    return told["openapi.json"]


@pytest.fixture(scope="module")
def asyncapi(told: dict[str, Document]) -> Document:
    return told["asyncapi.json"]


def routes(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Method and path of everything that the server answers."""
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, WebSocketRoute | APIWebSocketRoute):
            yield "ws", context.path
        elif isinstance(route, APIRoute) and context.path not in UNTOLD:
            for method in route.methods:
                yield method.lower(), context.path


def references(part: object) -> Iterator[str]:
    """Every `$ref` in it."""
    if isinstance(part, dict):
        for key, value in part.items():
            if key == "$ref":
                yield value
            yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def resolve(document: Document, reference: str) -> Any:
    part: Any = document
    for name in reference.removeprefix("#/").split("/"):
        part = part[name]
    return part


def schema(document: Document, reference: str) -> jsonschema.Draft202012Validator:
    """Checks against one schema of a document."""
    return jsonschema.Draft202012Validator(
        {"$ref": reference, "components": document["components"]}
    )


@pytest.mark.parametrize("name", ["openapi.json", "asyncapi.json"])
def test_what_is_committed_is_what_this_server_is(name: str, told: dict[str, Document]) -> None:
    assert (COMMITTED / name).read_text(encoding="utf-8") == text_of(told[name]), ANEW


def test_openapi_is_valid(openapi: Document) -> None:
    assert openapi["openapi"].startswith("3.1")
    validate(openapi)


def test_asyncapi_is_valid(asyncapi: Document) -> None:
    if not SPECS.is_dir():
        pytest.skip("needs @asyncapi/specs: python streamtrace/dashboard/build.py")
    specification = json.loads((SPECS / "schemas/3.0.0.json").read_text())
    wrong = jsonschema.Draft7Validator(specification).iter_errors(asyncapi)
    assert [f"{each.json_path}: {each.message[:200]}" for each in wrong] == []


def test_every_reference_leads_somewhere(told: dict[str, Document]) -> None:
    for document in told.values():
        found = list(references(document))
        assert found
        for reference in found:
            assert resolve(document, reference)


def test_every_rest_route_is_in_openapi_and_nothing_else(app: FastAPI, openapi: Document) -> None:
    there = {one for one in routes(app) if one[0] != "ws"}
    written = {(method, path) for path, item in openapi["paths"].items() for method in item}
    assert there - written == set(), "set include_in_schema on these routes"
    assert written - there == set()


def test_every_socket_is_in_asyncapi_and_nothing_else(app: FastAPI) -> None:
    there = {path for method, path in routes(app) if method == "ws"}
    written = {one.address for one in CHANNELS if one.carrier is Carrier.WEBSOCKET}
    assert there - written == set(), "add these to streamtrace/server/api/channels.py: " + ANEW
    assert written - there == set(), "take these out of streamtrace/server/api/channels.py: " + ANEW


def test_every_stream_of_events_is_in_asyncapi(openapi: Document) -> None:
    there = {
        path
        for path, item in openapi["paths"].items()
        for operation in item.values()
        if "text/event-stream" in operation["responses"].get("200", {}).get("content", {})
    }
    assert there == {one.address for one in CHANNELS if one.carrier is Carrier.SSE}


def test_webhooks_are_posted_what_an_endpoint_may_want_and_a_ping(asyncapi: Document) -> None:
    assert set(asyncapi["channels"]["webhooks"]["messages"]) == {*TOLD, "webhook.ping.v1"}


def test_operations_have_names_of_their_own_and_say_how_they_refuse(openapi: Document) -> None:
    operations = [each for item in openapi["paths"].values() for each in item.values()]
    names = Counter(each["operationId"] for each in operations)
    assert [name for name, times in names.items() if times > 1] == [], "give each an operation_id"
    for operation in operations:
        assert re.fullmatch(r"[a-z_]+", operation["operationId"])
        refused = {s: r for s, r in operation["responses"].items() if s[0] in "45d"}
        assert "default" in refused
        for response in refused.values():
            assert list(response["content"]) == ["application/problem+json"]


async def test_what_is_sent_is_what_is_written(openapi: Document, asyncapi: Document) -> None:
    """A real call with an alert: its events, frames, pages and refusals."""
    async with (
        live_server(alerts=MILD, ring_ms=60_000, heartbeat_s=0.2, feed_interval_s=0.05) as url,
        http(url) as client,
    ):
        assert (await client.get("/openapi.json")).json() == openapi
        assert (await client.get("/asyncapi.json")).json() == asyncapi
        feeds = {
            name: await ws(url, path)
            for name, path in {"calls": "/v1/calls", "alerts": "/v1/alerts"}.items()
        }
        async with ws(url, "/v1/ingest/pcm?external_id=fake") as call:
            await speak(call)
        call_id = (await client.get("/v1/calls")).json()["calls"][0]["id"]
        story = await ws(url, f"/v1/calls/{call_id}/events")
        said = {"callEvents": await messages(story)}
        alert = json.loads(await feeds["alerts"].recv())
        while not alert["type"].startswith("alert."):
            alert = json.loads(await feeds["alerts"].recv())
        said["alerts"] = [alert]
        said["calls"] = [json.loads(await feeds["calls"].recv()) for _ in range(3)]
        answers = {
            path: await client.get(path.format(call_id=call_id, alert_id=alert["subject"]))
            for path, item in openapi["paths"].items()
            if "get" in item and not path.startswith(("/whip", "/metrics"))
        }
        refused = [await client.get("/v1/alerts/none"), await client.get("/v1/calls?limit=0")]
        for feed in feeds.values():
            await feed.close()
    for name, events in said.items():
        refs = asyncapi["channels"][name]["messages"]
        for event in events:
            feeds_own = "FeedHeartbeat" if "type" in event else "CallsFrame"
            message = refs.get(event.get("type")) or refs[feeds_own]
            payload = resolve(asyncapi, message["$ref"])["payload"]["$ref"]
            schema(asyncapi, payload).validate(event)
    assert {e["type"] for e in said["callEvents"]} >= {"call.started.v1", "call.score.v1"}
    for path, answer in answers.items():
        known = openapi["paths"][path]["get"]["responses"]
        content = known["200"]["content"]
        if "application/json" not in content:  # pictures and clips, of which there may be none
            assert str(answer.status_code) in known, path
            continue
        assert answer.status_code == 200, path
        schema(openapi, content["application/json"]["schema"]["$ref"]).validate(answer.json())
    problem = schema(openapi, "#/components/schemas/Problem")
    for refusal in refused:
        problem.validate(refusal.json())
    bad = dict(said["callEvents"][0], sequence="7")
    with pytest.raises(jsonschema.ValidationError, match="does not match"):
        schema(asyncapi, "#/components/schemas/CallStartedEvent").validate(bad)
