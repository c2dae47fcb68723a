"""Policies out of settings: what holds where, and what is refused by name."""

from __future__ import annotations

import pytest

from streamtrace.alerts.policy import AlertPolicies, AlertPolicy
from streamtrace.errors import SettingsError
from streamtrace.events.alerts import Severity
from streamtrace.values import Leg


def test_by_default_the_caller_alone_alerts() -> None:
    policies = AlertPolicies.from_settings({})
    assert policies.default == AlertPolicy()
    assert policies.default.legs == (Leg.CALLER,)
    assert policies.of("anything") is policies.of(None) is policies.default


def test_a_line_says_only_what_differs() -> None:
    policies = AlertPolicies.from_settings(
        {
            "false_alarms_per_100_calls": 5,
            "quiet_s": 10,
            "severity": {"high": 1.0},
            "lines": {"support": {"legs": ["callee", "caller"], "quiet_s": 2.5}},
        }
    )
    support = policies.of("support")
    assert (support.name, support.level, support.quiet_ms) == ("support", 0.05, 2_500)
    assert support.legs == (Leg.CALLER, Leg.CALLEE)
    assert support.levels == ((Severity.LOW, 0.025), (Severity.HIGH, 0.005))  # two legs share
    assert policies.default.quiet_ms == 10_000


def test_a_stricter_line_keeps_the_severities_that_are_rarer_than_its_alerts() -> None:
    policies = AlertPolicies.from_settings({"lines": {"vip": {"false_alarms_per_100_calls": 0.5}}})
    assert policies.of("vip").levels == ((Severity.LOW, 0.005), (Severity.CRITICAL, 0.0025))


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"leg": []}, r"alerts.leg: no such setting; there are enabled, false_alarms"),
        ({"enabled": 1}, r"alerts.enabled=1: want true or false"),
        ({"false_alarms_per_100_calls": 0}, r"per_100_calls=0: want 0.001 to 25"),
        ({"false_alarms_per_100_calls": True}, r"per_100_calls=True: want a number"),
        ({"false_alarms_per_100_calls": float("nan")}, r"nan: want a number"),
        ({"legs": "caller"}, r"alerts.legs='caller': want a list of caller, callee"),
        ({"legs": ["agent"]}, r"alerts.legs='agent': want one of caller, callee"),
        ({"quiet_s": -1}, r"alerts.quiet_s=-1: want 0 to 86400"),
        ({"most_loss_ratio": 2}, r"alerts.most_loss_ratio=2: want 0 to 1"),
        ({"severity": 3}, r"alerts.severity=3: want a table"),
        ({"severity": {"low": 1}}, r"alerts.severity.low: no such severity; there are medium"),
        ({"severity": {"high": 2.0}}, r"alerts.severity.high=2: want less than 2, that of"),
        (
            {"severity": {"medium": 0.5, "high": 1.0}},
            r"alerts.severity.high=1: want less than 0.5",
        ),
        ({"lines": 3}, r"alerts.lines=3: want a table for each line"),
        ({"lines": {"a": 3}}, r"alerts.lines.a=3: want a table"),
        ({"lines": {"a": {"legs": 1}}}, r"alerts.lines.a.legs=1: want a list"),
        ({"lines": {"a": {"lines": {}}}}, r"alerts.lines.a.lines: no such setting"),
    ],
)
def test_what_cannot_be_is_named(raw: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        AlertPolicies.from_settings(raw)
