"""What `streamtrace watch` shows: the order, the words, and what must not paint."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from streamtrace.client import CallsChanged
from streamtrace.commands.watch_picture import (
    ALERT_COLUMNS,
    CALL_COLUMNS,
    MOST_CALLS,
    Picture,
    columns,
)
from streamtrace.events.views import CallView

NOW = datetime(2026, 1, 2, 3, 5, 0, tzinfo=UTC)


def decision(verdict: str, probability: float, **quality: Any) -> dict[str, Any]:
    return {
        "external_id": None,
        "leg": "caller",
        "segment": {"start_ms": 0, "end_ms": 4_000, "speech_ms": 3_000},
        "is_final": False,
        "verdict": verdict,
        "spoof_probability": probability,
        "threshold": {"policy": "default@1", "value": 0.9},
        "attribution": [{"source": "hifigan", "family": "vocoder-gan", "probability": 0.61}],
        "families": [],
        "novelty": 0.0,
        "speech_ms": 3_200,
        "duration_ms": 4_000,
        "window": None,
        "first_verdict_ms": None,
        "first_synthetic_ms": None,
        "first_synthetic_speech_ms": None,
        "quality": {"codec": "PCMU", "loss_ratio": 0.0, "concealed_ms": 0} | quality,
        "latency_ms": None,
        "model": {"id": "m", "sha256": "0"},
    }


def call(
    number: int, *, ended: bool = False, said: dict[str, Any] | None = None, **told: Any
) -> CallView:
    """One call as the feed tells it."""
    leg = {"leg": "caller", "codec": "PCMU", "rate_hz": 8_000, "decision": said}
    return CallView.model_validate(
        {
            "id": f"call_{number:03}",
            "external_id": None,
            "line": "support",
            "protocol": "twilio",
            "state": "ended" if ended else "live",
            "started": "2026-01-02T03:04:05.000Z",
            "ended": "2026-01-02T03:04:35.000Z" if ended else None,
            "reason": "hung_up" if ended else None,
            "legs": [leg],
        }
        | told
    )


def shown(picture: Picture) -> list[dict[str, str]]:
    rows = picture.call_rows(NOW)
    return [{name: text for name, (text, _) in row.cells.items()} for row in rows]


def picture_of(*calls: CallView, only: str | None = None) -> Picture:
    picture = Picture(only)
    picture.take_calls(CallsChanged(calls, is_whole=True))
    return picture


def test_a_leg_without_and_with_a_decision() -> None:
    picture = picture_of(call(1))
    assert shown(picture)[0] | {"age": ""} == {
        "call": "call_001",
        "line": "support",
        "protocol": "twilio",
        "leg": "caller",
        "verdict": "live",
        "age": "",
    }
    said = decision("synthetic", 0.934, loss_ratio=0.02, degraded=True)
    picture.take_calls(CallsChanged((call(1, said=said),), is_whole=False))
    assert shown(picture) == [
        {
            "call": "call_001",
            "line": "support",
            "protocol": "twilio",
            "leg": "caller",
            "verdict": "synthetic",
            "synthetic": "93 %",
            "source": "hifigan 61 %",
            "speech": "3 s",
            "quality": "PCMU 2 % lost degraded",
            "age": "0:55",
        }
    ]
    assert picture.summary() == "1 live, 1 synthetic · 0 alerts open, 0 new"


def test_live_calls_by_risk_and_ended_ones_by_time() -> None:
    picture = picture_of(
        call(1, said=decision("bonafide", 0.9)),
        call(2, ended=True, said=decision("synthetic", 0.99)),
        call(3, said=decision("synthetic", 0.7)),
        call(4, said=decision("inconclusive", 0.8)),
        call(5, ended=True),
        call(6, legs=[]),
    )
    order = [row["call"] for row in shown(picture)]
    assert order == [f"call_00{number}" for number in (3, 4, 1, 6, 5, 2)]
    assert shown(picture)[-1]["age"] == "0:30"


def test_a_caller_s_id_cannot_paint() -> None:
    (row,) = shown(picture_of(call(1, external_id="[red]\x1b[2Jx")))
    assert row["call"] == "[red]?[2Jx"
    (row,) = shown(picture_of(call(1, external_id="x" * 200)))
    assert row["call"] == "x" * 27 + "…"


def test_old_ended_calls_leave_and_live_ones_stay() -> None:
    calls = [call(n, ended=n != 3) for n in range(MOST_CALLS + 50)]
    rows = shown(picture_of(*calls))
    assert len(rows) == MOST_CALLS
    assert [row["call"] for row in rows[:2]] == ["call_003", f"call_{MOST_CALLS + 49}"]


def test_a_new_connection_tells_all_there_is() -> None:
    picture = picture_of(call(1), call(2))
    picture.take_calls(CallsChanged((call(3),), is_whole=True))
    assert [row["call"] for row in shown(picture)] == ["call_003"]


def test_one_call_alone_by_either_id() -> None:
    calls = (call(1, external_id="CA1"), call(2, external_id="CA2"))
    for name in ("CA2", "call_002"):
        assert [row["call"] for row in shown(picture_of(*calls, only=name))] == ["CA2"]


def test_narrow_terminals_lose_what_matters_least() -> None:
    assert columns(CALL_COLUMNS, 30) == ["call", "verdict", "synthetic"]
    assert columns(CALL_COLUMNS, 200) == list(CALL_COLUMNS)
    assert columns(ALERT_COLUMNS, 30) == ["severity", "state", "call"]
