"""Logs and metrics: what they say, and what they never say."""

from __future__ import annotations

import json
import subprocess
import sys

from streamtrace.telemetry import Metrics, error_without_payload, without_queries

SCRIPT = """
import logging, structlog
from streamtrace.telemetry import configure_logging
configure_logging("info", "json")
log = structlog.get_logger()
with structlog.contextvars.bound_contextvars(call_id="call_1"):
    log.info("call started", protocol="pcm")
log.debug("too much")
try:
    raise ValueError("+4930123456")
except ValueError:
    log.error("call failed", exc_info=True)
    logging.getLogger("some.library").exception("failed: GET /v1/calls?token=secret HTTP/1.1")
logging.getLogger("aioice").info("chatter")
logging.getLogger("uvicorn.error").error("ASGI callable returned without completing handshake.")
"""


def test_logs_are_lines_of_json_on_stderr_without_payloads() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, timeout=60
    )
    assert ran.stdout == ""
    lines = [json.loads(line) for line in ran.stderr.splitlines()]
    assert [line["event"] for line in lines] == [
        "call started",
        "call failed",
        "failed: GET /v1/calls?… HTTP/1.1",
    ]
    assert lines[0]["call_id"] == "call_1"
    assert lines[0]["level"] == "info"
    assert all(line["error"] == "ValueError" and "raised_at" in line for line in lines[1:])
    assert "+49" not in ran.stderr


def test_an_exception_becomes_its_type_and_place() -> None:
    try:
        raise KeyError("number dialled")
    except KeyError as error:
        event = error_without_payload(None, "", {"event": "x", "exc_info": error})
    assert event["error"] == "KeyError"
    assert "test_an_exception" in event["raised_at"]
    assert "exc_info" not in event
    nothing = (None, None, None)
    assert error_without_payload(None, "", {"event": "x", "exc_info": nothing}) == {"event": "x"}


def test_queries_are_left_out() -> None:
    event = without_queries(None, "", {"event": 'GET "/a?b=c" and /d?e'})
    assert event["event"] == 'GET "/a?…" and /d?…'


def test_metrics_have_the_promised_names() -> None:
    metrics = Metrics(version="1", model="m")
    metrics.active_calls.labels("pcm").inc()
    metrics.audio_gap_seconds.labels("lost").inc(0.5)
    metrics.events_dropped.labels("slow_consumer").inc()
    text = metrics.exposition().decode()
    for line in (
        'streamtrace_active_calls{protocol="pcm"} 1.0',
        "streamtrace_audio_seconds_total 0.0",
        'streamtrace_audio_gap_seconds_total{cause="lost"} 0.5',
        "streamtrace_encode_duration_seconds_count 0.0",
        "streamtrace_decision_latency_seconds_count 0.0",
        "streamtrace_first_verdict_seconds_count 0.0",
        'streamtrace_events_dropped_total{reason="slow_consumer"} 1.0',
        'streamtrace_build_info{model="m",version="1"} 1.0',
    ):
        assert line in text.splitlines()
