"""A call watched: who alerts, when, how often it is told, and what is said of it."""

from __future__ import annotations

import itertools
import sys
from enum import Enum

import pytest

from streamtrace.alerts.calibration import Band, BandCalibration, Bars, Calibration
from streamtrace.alerts.policy import AlertPolicies
from streamtrace.alerts.watch import (
    AlertClosed,
    AlertNews,
    AlertOpened,
    AlertUpdated,
    CallWatch,
)
from streamtrace.events.alerts import Severity
from streamtrace.events.events import CallMedia, CallStarted, Event
from streamtrace.values import Leg
from tests.alerts import calls, scores

BARS = Bars(((0.002, 5.0), (0.005, 4.0), (0.01, 3.0), (0.02, 2.0)))
CALIBRATION = Calibration(
    "test",
    "0" * 64,
    "by hand",
    {band: BandCalibration(calls.voices(), BARS, 500) for band in Band},
)
HUMAN, SYNTHETIC = -2.0, 5.0
MINUTE = 125  # hops


def watched(
    events: list[Event],
    calibration: Calibration | None = CALIBRATION,
    **settings: object,
) -> list[AlertNews]:
    watch = CallWatch("call_01ABC", AlertPolicies.from_settings(settings), calibration)
    return [news for event in events for news in watch.take(event)]


def test_a_human_call_says_nothing() -> None:
    assert watched(scores.call([HUMAN] * MINUTE)) == []


def test_a_synthetic_voice_is_told_once_then_updated_and_at_the_end() -> None:
    told = watched(scores.call([SYNTHETIC] * 2 * MINUTE))
    assert isinstance(told[0], AlertOpened)
    assert all(isinstance(news, AlertUpdated) for news in told[1:])
    assert {news.finding.alert_id for news in told} == {"alert_01ABC_caller"}
    finding = told[0].finding
    assert (finding.external_id, finding.leg, finding.policy) == ("CA1", Leg.CALLER, "default")
    evidence = finding.evidence
    assert evidence.log_evidence >= evidence.bar == 2.0
    assert (evidence.onset_ms, evidence.is_change, evidence.is_calibrated) == (0, False, True)
    assert evidence.attribution[0].source == "system-0"
    assert told[-1].finding.is_call_over
    assert not told[0].finding.is_call_over


def test_while_nothing_else_is_new_it_is_told_once_in_a_quiet_period() -> None:
    told = watched(scores.call([SYNTHETIC] * 4 * MINUTE), quiet_s=60.0)
    level = [news for news in told if news.finding.severity is told[-1].finding.severity]
    times = [news.finding.evidence.now_ms for news in level[:-1]]
    assert all(later - earlier >= 60_000 for earlier, later in itertools.pairwise(times))
    assert len(watched(scores.call([SYNTHETIC] * 4 * MINUTE), quiet_s=0.0)) > len(told)


def test_severity_rises_at_once_and_never_falls() -> None:
    told = watched(scores.call([SYNTHETIC] * MINUTE + [-1.0] * 2 * MINUTE), quiet_s=3600.0)
    severities = [list(Severity).index(news.finding.severity) for news in told]
    assert severities == sorted(severities)
    assert severities[-1] == 3


def test_a_voice_that_takes_over_is_dated() -> None:
    told = watched(scores.call([HUMAN] * MINUTE + [SYNTHETIC] * MINUTE))
    evidence = told[-1].finding.evidence
    assert evidence.is_change
    assert abs(evidence.onset_ms - 60_000) <= 2 * scores.WINDOW_MS
    assert all(segment.end_ms > evidence.onset_ms for segment in evidence.segments)
    assert "change" in evidence.reason


def test_evidence_that_fell_back_is_told_and_the_policy_closes_at_the_end() -> None:
    told = watched(scores.call([3.5] * 16 + [-5.0] * MINUTE))
    assert isinstance(told[0], AlertOpened)
    assert any(news.finding.is_withdrawn for news in told[:-1])
    assert isinstance(told[-1], AlertClosed)
    assert told[-1].finding.is_call_over


def test_the_callee_alerts_only_where_the_policy_says_so() -> None:
    events = scores.call([SYNTHETIC] * MINUTE, leg=Leg.CALLEE, line="support")
    assert watched(events) == []
    assert watched(events, lines={"support": {"legs": ["callee"]}})
    assert watched(events, lines={"sales": {"legs": ["callee"]}}) == []


def test_a_line_can_be_left_out() -> None:
    events = scores.call([SYNTHETIC] * MINUTE, line="robots")
    assert watched(events, lines={"robots": {"enabled": False}}) == []


@pytest.mark.parametrize("given", [{"degraded": True}, {"loss_ratio": 0.3}, {"speech": 0.2}])
def test_what_was_hardly_heard_is_no_evidence(given: dict[str, float]) -> None:
    assert watched(scores.call([SYNTHETIC] * MINUTE, **given)) == []


def test_windows_that_overlap_speak_once() -> None:
    once = watched(scores.call([SYNTHETIC] * 3))  # 1.4 s: less speech than a block has to hold
    assert once == []
    [opened, *_] = watched(scores.call([SYNTHETIC] * 40))
    segments = opened.finding.evidence.segments
    pairs = itertools.pairwise(segments)
    assert all(a.end_ms <= b.start_ms for a, b in pairs)


def test_without_a_calibration_only_a_bound_s_odds_are_enough() -> None:
    assert watched(scores.call([4.0] * MINUTE), None) == []  # odds of 55
    told = watched(scores.call([5.0] * MINUTE), None)  # odds of 148, where 100 are asked for
    assert not told[0].finding.evidence.is_calibrated
    assert "no calibration" in told[0].finding.evidence.reason


def test_nothing_is_said_behind_the_end_or_of_a_leg_that_was_not_opened() -> None:
    watch = CallWatch("call_01ABC", AlertPolicies.from_settings({}), CALIBRATION)
    watch.take(CallStarted(None, None, "api"))
    assert watch.take(scores.score(40, SYNTHETIC)) == []
    for event in scores.call([SYNTHETIC] * MINUTE):
        watch.take(event)
    assert watch.take(scores.score(400, SYNTHETIC)) == []
    assert watch.take(CallMedia(Leg.CALLER, "PCMU", 8_000)) == []


def footprint(value: object, seen: set[int]) -> int:
    """Bytes of everything that hangs on a value."""
    if id(value) in seen or isinstance(value, type | Enum):
        return 0
    seen.add(id(value))
    parts: list[object] = [getattr(value, name) for name in getattr(value, "__slots__", ())]
    parts += vars(value).values() if hasattr(value, "__dict__") else []
    if isinstance(value, dict):
        parts += [*value, *value.values()]
    elif isinstance(value, list | tuple):
        parts += value
    return sys.getsizeof(value) + sum(footprint(part, seen) for part in parts)


@pytest.mark.laws
def test_memory_does_not_grow_with_the_call() -> None:
    watch = CallWatch("call_01ABC", AlertPolicies.from_settings({}), CALIBRATION)
    sizes: list[int] = []
    for at, event in enumerate(scores.call([SYNTHETIC, -1.0, 2.0, -4.0] * 8 * MINUTE)):
        watch.take(event)
        if at % 1_000 == 500:
            sizes.append(footprint(watch, set()))
    assert len(sizes) == 4
    assert max(sizes) <= 1.1 * sizes[0]  # stretches of names are joined by twelves


@pytest.mark.laws
def test_the_same_events_give_the_same_alerts() -> None:
    events = scores.call([HUMAN] * 60 + [SYNTHETIC] * MINUTE)
    assert watched(events) == watched(events)
