"""When a leg's evidence is an alert, for each line: promises, not scores.

[alerts]
false_alarms_per_100_calls = 2.0
legs = ["caller"]
quiet_s = 30.0
severity = {medium = 1.0, high = 0.5, critical = 0.25}

[alerts.lines.support]              # what differs on one line
legs = ["caller", "callee"]
false_alarms_per_100_calls = 1.0
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from streamtrace.errors import SettingsError
from streamtrace.events.alerts import Severity
from streamtrace.values import Leg

RISING = (Severity.LOW, Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL)
KEYS = ("enabled", "false_alarms_per_100_calls", "legs", "quiet_s", "severity", "most_loss_ratio")
LEAST_PER_100, MOST_PER_100 = 0.001, 25.0


@dataclass(frozen=True, slots=True)
class AlertPolicy:
    """Of one line. A `level` is a share of human calls: 0.02 is two false alarms in 100 calls."""

    name: str = "default"
    enabled: bool = True
    level: float = 0.02
    legs: tuple[Leg, ...] = (Leg.CALLER,)  # a callee is often the company's own synthetic voice
    quiet_ms: int = 30_000  # of call time, between two updates that bring nothing new
    severity: tuple[tuple[Severity, float], ...] = (
        (Severity.MEDIUM, 0.01),
        (Severity.HIGH, 0.005),
        (Severity.CRITICAL, 0.0025),
    )
    most_loss_ratio: float = 0.1  # of a leg; with more lost, what is heard is no evidence

    @property
    def levels(self) -> tuple[tuple[Severity, float], ...]:
        """Every severity with the level of one leg, the mildest first.

        What is promised is promised of the call: several legs share it.
        """
        legs = max(len(self.legs), 1)
        of_call = ((Severity.LOW, self.level), *self.severity)
        return tuple((severity, level / legs) for severity, level in of_call)


@dataclass(frozen=True, slots=True)
class AlertPolicies:
    """The policy of each line, and that of all others."""

    default: AlertPolicy
    lines: Mapping[str, AlertPolicy]

    @classmethod
    def from_settings(cls, raw: Mapping[str, Any]) -> AlertPolicies:
        """From the table `alerts`; SettingsError names key, value and rule."""
        table = dict(raw)
        lines = table.pop("lines", {})
        if not isinstance(lines, Mapping):
            raise SettingsError(f"alerts.lines={lines!r}: want a table for each line")
        default = _policy("default", table, AlertPolicy(), "alerts")
        found: dict[str, AlertPolicy] = {}
        for name, own in cast("Mapping[str, object]", lines).items():
            where = f"alerts.lines.{name}"
            if not isinstance(own, Mapping):
                raise SettingsError(f"{where}={own!r}: want a table")
            found[name] = _policy(name, cast("Mapping[str, Any]", own), default, where)
        return cls(default, found)

    def of(self, line: str | None) -> AlertPolicy:
        """What holds on a line."""
        return self.lines.get(line or "", self.default)


def _policy(name: str, raw: Mapping[str, Any], base: AlertPolicy, where: str) -> AlertPolicy:
    for key in raw:
        if key not in KEYS:
            raise SettingsError(f"{where}.{key}: no such setting; there are {', '.join(KEYS)}")
    enabled = raw.get("enabled", base.enabled)
    if not isinstance(enabled, bool):
        raise SettingsError(f"{where}.enabled={enabled!r}: want true or false")
    level = base.level
    if "false_alarms_per_100_calls" in raw:
        level = _per_100(raw["false_alarms_per_100_calls"], f"{where}.false_alarms_per_100_calls")
    severity = base.severity
    if "severity" in raw:
        severity = _severity(raw["severity"], level, f"{where}.severity")
    else:  # a stricter line keeps what can still be told apart
        severity = tuple((each, own) for each, own in severity if own < level)
    return AlertPolicy(
        name=name,
        enabled=enabled,
        level=level,
        legs=_legs(raw["legs"], f"{where}.legs") if "legs" in raw else base.legs,
        quiet_ms=round(
            1000 * _number(raw.get("quiet_s", base.quiet_ms / 1000), f"{where}.quiet_s", 0, 86_400)
        ),
        severity=severity,
        most_loss_ratio=_number(
            raw.get("most_loss_ratio", base.most_loss_ratio), f"{where}.most_loss_ratio", 0, 1
        ),
    )


def _legs(value: object, where: str) -> tuple[Leg, ...]:
    names = [leg.value for leg in Leg]
    if not isinstance(value, list | tuple):
        raise SettingsError(f"{where}={value!r}: want a list of {', '.join(names)}")
    legs = cast("list[object] | tuple[object, ...]", value)
    for leg in legs:
        if leg not in names:
            raise SettingsError(f"{where}={leg!r}: want one of {', '.join(names)}")
    return tuple(leg for leg in Leg if leg.value in legs)


def _severity(value: object, level: float, where: str) -> tuple[tuple[Severity, float], ...]:
    if not isinstance(value, Mapping):
        raise SettingsError(f"{where}={value!r}: want a table of false alarms per 100 calls")
    table = cast("Mapping[str, object]", value)
    known = [each.value for each in RISING[1:]]
    for name in table:
        if name not in known:
            raise SettingsError(f"{where}.{name}: no such severity; there are {', '.join(known)}")
    found: list[tuple[Severity, float]] = []
    above = level
    for each in RISING[1:]:
        if each.value in table:
            own = _per_100(table[each.value], f"{where}.{each.value}")
            if own >= above:
                raise SettingsError(
                    f"{where}.{each.value}={own * 100:g}: want less than {above * 100:g}, "
                    "that of the severity below"
                )
            found.append((each, own))
            above = own
    return tuple(found)


def _per_100(value: object, where: str) -> float:
    return _number(value, where, LEAST_PER_100, MOST_PER_100) / 100


def _number(value: object, where: str, least: float, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise SettingsError(f"{where}={value!r}: want a number")
    if not least <= value <= most:
        raise SettingsError(f"{where}={value:g}: want {least:g} to {most:g}")
    return float(value)
