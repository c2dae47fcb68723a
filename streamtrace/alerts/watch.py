"""A call watched for alerts: its events in, in order, and what is to be told about it out.

    watch = CallWatch(call_id, policies, calibration)
    for event in events:                  # of `CallSession`, as they come
        for news in watch.take(event): ...

No clock and no I/O: the same events give the same alerts, and memory does not grow with the call.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from streamtrace.alerts.calibration import Calibration
from streamtrace.alerts.leg import LegWatch, News, Standing
from streamtrace.alerts.policy import AlertPolicies, AlertPolicy
from streamtrace.events.alerts import AlertEvidence, LineSound, Severity
from streamtrace.events.events import CallEnded, CallMedia, CallScore, CallStarted, Event
from streamtrace.values import Leg


@dataclass(frozen=True, slots=True)
class Finding:
    """What the watch says of one leg; `alert_id` is the same for all that it says of it."""

    alert_id: str
    call_id: str
    external_id: str | None
    line: str | None
    leg: Leg
    policy: str
    severity: Severity
    is_withdrawn: bool
    is_call_over: bool
    evidence: AlertEvidence


@dataclass(frozen=True, slots=True)
class AlertOpened:
    """The evidence has reached the policy's bar; once for a leg."""

    finding: Finding


@dataclass(frozen=True, slots=True)
class AlertUpdated:
    """More is known; after the call's end for the last time."""

    finding: Finding


@dataclass(frozen=True, slots=True)
class AlertClosed:
    """The call is over and its evidence had fallen back: the policy holds the alert no longer."""

    finding: Finding


AlertNews: TypeAlias = AlertOpened | AlertUpdated | AlertClosed


def unheard(_leg: Leg) -> LineSound:
    """Where nobody listens."""
    return LineSound()


class CallWatch:
    """Every alert that is opened is told of once more at the call's end: updated, or closed."""

    def __init__(
        self,
        call_id: str,
        policies: AlertPolicies,
        calibration: Calibration | None,
        external_id: str | None = None,
        line: Callable[[Leg], LineSound] = unheard,
    ) -> None:
        self._call_id = call_id
        self._line_of = line
        self._policies = policies
        self._calibration = calibration
        self._external_id = external_id
        self._line: str | None = None
        self._policy = policies.default
        self._legs: dict[Leg, LegWatch] = {}
        self._is_over = False

    @property
    def policy(self) -> AlertPolicy:
        """What holds on the call's line."""
        return self._policy

    def take(self, event: Event) -> list[AlertNews]:
        """What the event brings; nothing behind the call's end."""
        if self._is_over:
            return []
        match event:
            case CallStarted(external_id, line, _):
                self._external_id = external_id or self._external_id
                self._line, self._policy = line, self._policies.of(line)
            case CallMedia(leg):
                if self._policy.enabled and leg in self._policy.legs:
                    self._legs[leg] = LegWatch(
                        event, self._policy, self._calibration, partial(self._line_of, leg)
                    )
            case CallScore(leg) if leg in self._legs:
                return self._look(leg, event)
            case CallEnded():
                self._is_over = True
                return self._conclude()
            case _:
                pass
        return []

    def _look(self, leg: Leg, score: CallScore) -> list[AlertNews]:
        watch = self._legs[leg]
        news = watch.take(score)
        if news is News.NOTHING or watch.standing is None:
            return []
        finding = self._finding(leg, watch.standing)
        return [AlertOpened(finding) if news is News.OPENED else AlertUpdated(finding)]

    def _conclude(self) -> list[AlertNews]:
        told: list[AlertNews] = []
        for leg, watch in self._legs.items():
            standing = watch.conclude()
            if standing is not None:
                finding = self._finding(leg, standing)
                told.append(
                    AlertClosed(finding) if standing.is_withdrawn else AlertUpdated(finding)
                )
        return told

    def _finding(self, leg: Leg, standing: Standing) -> Finding:
        return Finding(
            alert_id=f"alert_{self._call_id.removeprefix('call_')}_{leg.value}",
            call_id=self._call_id,
            external_id=self._external_id,
            line=self._line,
            leg=leg,
            policy=self._policy.name,
            severity=standing.severity,
            is_withdrawn=standing.is_withdrawn,
            is_call_over=self._is_over,
            evidence=standing.evidence,
        )
