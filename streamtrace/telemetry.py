"""Metrics and logs, named once.

Metrics have base units and no label that grows with calls. Logs are a static text with fields, on
stderr: never audio, numbers dialled, or what an exception carries.
"""

from __future__ import annotations

import logging
import re
import sys
from types import TracebackType
from typing import cast

import structlog
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from structlog.typing import EventDict, Processor, WrappedLogger

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_QUERY = re.compile(r"\?[^\s\"'\]]*")
_LATENCIES_S = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.48, 0.75, 1.0, 2.0, 5.0)
_STORE_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0)
_VERDICTS_S = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 10.0, 20.0, 60.0)
# They say more than anyone serving calls wants to read.
_QUIET_LOGGERS = (
    *("uvicorn", "uvicorn.error", "websockets", "aiortc", "aioice", "asyncio", "libav"),
    *("httpx", "httpcore"),  # addresses of webhooks may be secrets
)


class Metrics:
    """One server's metrics, in a registry of their own so that two servers in a process differ."""

    def __init__(self, *, version: str, model: str) -> None:
        self._registry = registry = CollectorRegistry()
        self.active_calls = Gauge(
            "streamtrace_active_calls", "Calls now.", ["protocol"], registry=registry
        )
        self.calls = Counter(
            "streamtrace_calls", "Calls that have ended.", ["protocol", "reason"], registry=registry
        )
        self.calls_rejected = Counter(
            "streamtrace_calls_rejected", "Calls not taken.", ["reason"], registry=registry
        )
        self.audio_seconds = Counter(
            "streamtrace_audio_seconds", "Audio of legs traced, gaps included.", registry=registry
        )
        self.audio_gap_seconds = Counter(
            "streamtrace_audio_gap_seconds", "Audio missing.", ["cause"], registry=registry
        )
        self.audio_dropped_seconds = Counter(
            "streamtrace_audio_dropped_seconds",
            "Audio received, but too late for the encoder; also part of the gaps.",
            registry=registry,
        )
        self.encode_duration = Histogram(
            "streamtrace_encode_duration_seconds",
            "A step in the encoder.",
            buckets=_LATENCIES_S,
            registry=registry,
        )
        self.decision_latency = Histogram(
            "streamtrace_decision_latency_seconds",
            "From a step's last sample received to its decision.",
            buckets=_LATENCIES_S,
            registry=registry,
        )
        self.first_verdict = Histogram(
            "streamtrace_first_verdict_seconds",
            "Call time of a leg's first verdict.",
            buckets=_VERDICTS_S,
            registry=registry,
        )
        self.load = Gauge(
            "streamtrace_load",
            "Share of the machine in use, as admission judges it.",
            registry=registry,
        )
        self.late = Gauge(
            "streamtrace_late_seconds",
            "How late the slowest tenth of steps is answered.",
            registry=registry,
        )
        self.events_dropped = Counter(
            "streamtrace_events_dropped",
            "Events that a subscriber did not get.",
            ["reason"],
            registry=registry,
        )
        self.store_delay = Histogram(
            "streamtrace_store_delay_seconds",
            "From an event said to the event kept, and shown.",
            buckets=_STORE_S,
            registry=registry,
        )
        self.store_live_only = Gauge(
            "streamtrace_store_live_only",
            "1 while the database fails and events are shown without being kept.",
            registry=registry,
        )
        self.events_unkept = Counter(
            "streamtrace_events_unkept",
            "Events not kept at once: shown live only, or scores outdated on a slow disk.",
            ["reason"],
            registry=registry,
        )
        self.evidence_overdue = Gauge(
            "streamtrace_evidence_overdue",
            "Sealed files that should be erased, or cannot be read to tell, and stay.",
            registry=registry,
        )
        self.alert_changes = Counter(
            "streamtrace_alert_changes",
            "What was done to alerts, by people and by policy.",
            ["action"],
            registry=registry,
        )
        self.webhook_events = Counter(
            "streamtrace_webhook_events",
            "Attempts delivered, failed or gone; events dead (given up), or dropped.",
            ["webhook", "outcome"],
            registry=registry,
        )
        self.webhook_pending = Gauge(
            "streamtrace_webhook_pending",
            "Events that an endpoint has not taken yet.",
            ["webhook"],
            registry=registry,
        )
        self.webhook_disabled = Gauge(
            "streamtrace_webhook_disabled",
            "1 while an endpoint is told nothing until somebody enables it.",
            ["webhook"],
            registry=registry,
        )
        self.subscribers = Gauge(
            "streamtrace_subscribers", "Streams of events now.", registry=registry
        )
        build = Gauge(
            "streamtrace_build_info", "Always 1.", ["version", "model"], registry=registry
        )
        build.labels(version, model).set(1)

    def exposition(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self._registry)


def configure_logging(level: str, form: str) -> None:
    """Send our own and every library's logs to stderr, one line each."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        error_without_payload,
    ]
    renderer: Processor = (
        structlog.processors.JSONRenderer() if form == "json" else structlog.dev.ConsoleRenderer()
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, without_queries],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _QUIET_LOGGERS:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    # It takes every refusal before an upgrade for a forgotten one.
    logging.getLogger("uvicorn.error").addFilter(_is_no_refusal)


def error_without_payload(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """An exception becomes its type and place: its text may quote what a caller sent."""
    given: object = event.pop("exc_info", None)
    error = sys.exc_info()[1] if given is True else given
    if isinstance(given, tuple):  # as the standard library hands it on
        error = cast("tuple[object, ...]", given)[1]
    if isinstance(error, BaseException):
        event["error"] = type(error).__name__
        event["raised_at"] = _place(error.__traceback__)
    return event


def without_queries(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """A URL's query may carry names and tokens."""
    event["event"] = _QUERY.sub("?…", str(event["event"]))
    return event


def _place(traceback: TracebackType | None) -> str | None:
    if traceback is None:
        return None
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    code = traceback.tb_frame.f_code
    return f"{code.co_filename}:{traceback.tb_lineno} {code.co_name}"


def _is_no_refusal(record: logging.LogRecord) -> bool:
    return "without completing handshake" not in record.msg
