"""Health, metrics, the page, and the description of the interface."""

from __future__ import annotations

import re

import pytest

from tests.server.peers import http, place_pcm

# Requests that are handed on are tested with calls.
pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.parametrize("shared_url", [0], indirect=True, ids=["one-process"]),
]


async def test_alive_and_ready(shared_url: str) -> None:
    async with http(shared_url) as client:
        assert (await client.get("/livez")).json() == {"status": "alive"}
        ready = (await client.get("/readyz")).json()
    assert ready["status"] == "ready"
    assert len(ready["model"]["sha256"]) == 64


async def test_metrics_follow_calls(shared_url: str) -> None:
    await place_pcm(shared_url, "metrics", seconds=1)
    async with http(shared_url) as client:
        answer = await client.get("/metrics")
    lines = answer.text.splitlines()
    assert 'streamtrace_active_calls{protocol="pcm"} 0.0' in lines
    assert 'streamtrace_calls_total{protocol="pcm",reason="hung_up"} 1.0' in lines
    assert "streamtrace_audio_seconds_total 1.0" in lines
    assert "streamtrace_decision_latency_seconds_count 2.0" in lines
    assert "metrics" not in {label for line in lines for label in line.split('"')[1::2]}


async def test_the_page_may_load_nothing_from_elsewhere(shared_url: str) -> None:
    async with http(shared_url) as client:
        page = await client.get("/")
        (name,) = re.findall(r'src="\./(static/[^"]+\.js)"', page.text)
        script = await client.get(f"/{name}")
        missing = await client.get("/static/none.js")
    assert page.headers["content-type"].startswith("text/html")
    assert script.status_code == 200
    assert missing.status_code == 404
    for answer in (page, script, missing):
        assert "default-src 'self'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_the_interface_describes_itself_with_its_events(shared_url: str) -> None:
    async with http(shared_url) as client:
        described = (await client.get("/openapi.json")).json()
    assert described["openapi"].startswith("3.1")
    assert {
        "/v1/calls",
        "/v1/calls/{call_id}",
        "/v1/calls/{call_id}/events",
        "/whip/{line}",
    } <= set(described["paths"])
    assert {"CallScoreEvent", "CallEndedEvent", "StreamGapEvent", "CallView"} <= set(
        described["components"]["schemas"]
    )
