"""The wire form, field by field: others parse it, so it may only grow."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from pydantic import ValidationError

from streamtrace.events.events import (
    CallEnded,
    CallGap,
    CallMedia,
    CallScore,
    CallStarted,
    Event,
)
from streamtrace.events.wire import EVENT, CloudEvent, cloud_event, heartbeat, stream_gap
from streamtrace.values import (
    Decision,
    EndReason,
    GapCause,
    Latency,
    Leg,
    ModelRef,
    Quality,
    Segment,
    Threshold,
    Verdict,
)
from tests import builders

AT = datetime(2026, 11, 21, 1, 2, 3, 456789, UTC)


def decision(sources: int = 8) -> Decision:
    shares = np.arange(1, sources + 2, dtype=np.float32)
    shares[-1] = 0.5  # `unknown` is the least of all, and stays
    return Decision(
        verdict=Verdict.SYNTHETIC,
        spoof_probability=0.93,
        attribution=shares / shares.sum(),
        families=np.array([0.2, 0.5, 0.1, 0.2], np.float32),
        novelty=1.73,
        speech_ms=4120,
        catalog=builders.catalog(sources, 3),
    )


SCORE = CallScore(
    leg=Leg.CALLER,
    segment=Segment(12000, 15840, 3120),
    is_final=False,
    decision=decision(),
    window_decision=dataclasses.replace(decision(), spoof_probability=0.5, novelty=-1.0),
    first_verdict_ms=1440,
    first_synthetic_ms=1920,
    first_synthetic_speech_ms=1480,
    duration_ms=15840,
    quality=Quality("PCMU", 0.01, 0),
    model=ModelRef("m", "abc"),
    threshold=Threshold("default@1", 0.8),
    latency=Latency(12, 18, 71),
)


def sent(event: Event, external_id: str | None = "CA7") -> CloudEvent:
    return cloud_event(
        event,
        call_id="call_1",
        external_id=external_id,
        sequence=42,
        time=AT,
        event_id="01J",
    )


def test_the_envelope() -> None:
    wire = sent(CallEnded(EndReason.HUNG_UP)).to_dict()
    assert wire == {
        "specversion": "1.0",
        "id": "01J",
        "source": "/v1/calls/call_1",
        "type": "call.ended.v1",
        "subject": "call_1",
        "time": "2026-11-21T01:02:03.456Z",
        "sequence": "00000000000000000042",
        "datacontenttype": "application/json",
        "data": {"external_id": "CA7", "reason": "hung_up", "error": None},
    }


def test_times_are_utc() -> None:
    there = AT.astimezone(timezone(timedelta(hours=5)))
    event = cloud_event(
        CallEnded(EndReason.DRAINED),
        call_id="c",
        external_id=None,
        sequence=1,
        time=there,
        event_id="e",
    )
    assert event.time == "2026-11-21T01:02:03.456Z"


@pytest.mark.parametrize(
    ("event", "kind", "data"),
    [
        (
            CallStarted("CA7", "demo", "whip"),
            "call.started.v1",
            {"external_id": "CA7", "line": "demo", "protocol": "whip"},
        ),
        (
            CallMedia(Leg.CALLEE, "PCMU", 8000),
            "call.media.v1",
            {"external_id": "CA7", "leg": "callee", "codec": "PCMU", "rate_hz": 8000},
        ),
        (
            CallGap(Leg.CALLER, 100, 160, GapCause.LOST),
            "call.gap.v1",
            {
                "external_id": "CA7",
                "leg": "caller",
                "start_ms": 100,
                "end_ms": 160,
                "cause": "lost",
            },
        ),
        (
            CallEnded(EndReason.ENGINE_FAILED, "batch of 3 failed"),
            "call.ended.v1",
            {"external_id": "CA7", "reason": "engine_failed", "error": "batch of 3 failed"},
        ),
    ],
)
def test_small_events(event: Event, kind: str, data: dict[str, object]) -> None:
    wire = sent(event).to_dict()
    assert wire["type"] == kind
    assert wire["data"] == data


def test_a_score() -> None:
    data = sent(SCORE).to_dict()["data"]
    attribution, families = data.pop("attribution"), data.pop("families")
    assert data == {
        "external_id": "CA7",
        "leg": "caller",
        "segment": {"start_ms": 12000, "end_ms": 15840, "speech_ms": 3120},
        "is_final": False,
        "verdict": "synthetic",
        "spoof_probability": 0.93,
        "threshold": {"policy": "default@1", "value": 0.8},
        "novelty": 1.73,
        "speech_ms": 4120,
        "duration_ms": 15840,
        "window": {"spoof_probability": 0.5, "novelty": -1.0},
        "first_verdict_ms": 1440,
        "first_synthetic_ms": 1920,
        "first_synthetic_speech_ms": 1480,
        "quality": {"codec": "PCMU", "loss_ratio": 0.01, "concealed_ms": 0, "degraded": False},
        "latency_ms": {"queue": 12.0, "encode": 18.0, "total": 71.0},
        "model": {"id": "m", "sha256": "abc"},
        "recovered": False,
    }
    assert [share["source"] for share in attribution] == [
        "system-7",
        "system-6",
        "system-5",
        "system-4",
        "system-3",
        "unknown",
    ]
    assert attribution[0] == {"source": "system-7", "family": "family-1", "probability": 0.219178}
    assert attribution[-1] == {"source": "unknown", "family": None, "probability": 0.013699}
    assert families == [
        {"family": "family-1", "probability": 0.5},
        {"family": "family-0", "probability": 0.2},
        {"family": "unknown", "probability": 0.2},
        {"family": "family-2", "probability": 0.1},
    ]


def test_what_a_score_may_lack() -> None:
    bare = dataclasses.replace(
        SCORE,
        window_decision=None,
        latency=None,
        first_verdict_ms=None,
        first_synthetic_ms=None,
        first_synthetic_speech_ms=None,
    )
    data = sent(bare, external_id=None).to_dict()["data"]
    assert data["window"] is data["latency_ms"] is data["external_id"] is None
    assert data["first_verdict_ms"] is None


@pytest.mark.parametrize(
    "event", [SCORE, CallStarted(None, None, "api"), CallGap(Leg.CALLER, 0, 9, GapCause.DROPPED)]
)
def test_events_are_read_back(event: Event) -> None:
    wire = sent(event)
    assert EVENT.validate_json(wire.to_json()) == wire
    assert EVENT.validate_python(json.loads(wire.to_json())) == wire


def test_a_stream_gap() -> None:
    gap = stream_gap(call_id="call_1", external_id=None, first=3, last=9, time=AT)
    wire = gap.to_dict()
    assert wire["type"] == "stream.gap.v1"
    assert wire["data"] == {
        "external_id": None,
        "from": "00000000000000000003",
        "to": "00000000000000000009",
    }
    assert gap.number == 9
    assert EVENT.validate_json(gap.to_json()) == gap


def test_a_heartbeat_does_not_move_the_cursor() -> None:
    beat = heartbeat(call_id="c", external_id="x", sequence=7, time=AT, event_id="beat")
    assert (beat.type, beat.number) == ("stream.heartbeat.v1", 7)
    assert beat.to_dict()["data"] == {"external_id": "x"}


def test_an_unknown_type_is_refused() -> None:
    wire = sent(CallEnded(EndReason.HUNG_UP)).to_dict() | {"type": "call.ended.v9"}
    with pytest.raises(ValidationError):
        EVENT.validate_python(wire)
