"""What `streamtrace watch` shows: calls by risk and open alerts, as rows of plain text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from streamtrace.client.client import SeenAlert
from streamtrace.client.items import CallsChanged
from streamtrace.events.alert_views import AlertView
from streamtrace.events.alert_wire import AlertFields
from streamtrace.events.alerts import AlertState, Severity
from streamtrace.events.payloads import CallScoreData
from streamtrace.events.views import CallState, CallView, LegView
from streamtrace.values import Verdict

MOST_NAME = 28  # characters of a call's id
MOST_CALLS = 200  # ended ones leave first
OPEN = (AlertState.NEW, AlertState.ACKNOWLEDGED, AlertState.ESCALATED)

VERDICT_STYLES = {
    Verdict.SYNTHETIC: "red",
    Verdict.BONAFIDE: "green",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.NO_SPEECH: "dim",
}
WEIGHTS = {
    Verdict.SYNTHETIC: 3,
    Verdict.INCONCLUSIVE: 2,
    Verdict.BONAFIDE: 1,
    Verdict.NO_SPEECH: 0,
}
SEVERITY_STYLES = {
    Severity.LOW: "yellow",
    Severity.MEDIUM: "yellow",
    Severity.HIGH: "red",
    Severity.CRITICAL: "bold red",
}
# Each column, and the narrowest terminal that has room for it.
CALL_COLUMNS = {
    "call": 0,
    "line": 110,
    "protocol": 90,
    "leg": 60,
    "verdict": 0,
    "synthetic": 0,
    "source": 50,
    "speech": 70,
    "quality": 100,
    "age": 40,
}
ALERT_COLUMNS = {"severity": 0, "state": 0, "call": 0, "leg": 60, "with": 90, "reason": 40}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table: a text and perhaps a style for each column."""

    key: str
    cells: dict[str, tuple[str, str]]


class Picture:
    """All that was told, as it is now. `only` is the one call that is wanted, by either id."""

    def __init__(self, only: str | None = None) -> None:
        self._only = only
        self._calls: dict[str, CallView] = {}
        self._alerts: dict[str, SeenAlert] = {}

    def take_calls(self, changed: CallsChanged) -> None:
        """A frame of the feed; the first of a connection is all there is."""
        if changed.is_whole:
            self._calls.clear()
        for call in changed.calls:
            if self._is_wanted(call.id, call.external_id):
                self._calls[call.id] = call
        for call in self._in_order()[MOST_CALLS:]:
            if call.state is CallState.ENDED:
                del self._calls[call.id]

    def take_alerts(self, alerts: Iterable[AlertView]) -> None:
        """All that are open."""
        self._alerts = {}
        for alert in alerts:
            self.take_alert(alert)

    def take_alert(self, alert: SeenAlert) -> None:
        """One as it is now, unless a newer one is there; closed ones leave."""
        id, fields = alert_id(alert), alert_fields(alert)
        before = self._alerts.get(id)
        if before is not None and alert_fields(before).version > fields.version:
            return
        if fields.state in OPEN and self._is_wanted(fields.call_id, fields.external_id):
            self._alerts[id] = alert
        else:
            self._alerts.pop(id, None)

    def alert(self, id: str) -> SeenAlert | None:
        """The alert behind a row."""
        return self._alerts.get(id)

    def summary(self) -> str:
        """How many of each."""
        live = sum(call.state is CallState.LIVE for call in self._calls.values())
        accused = sum(_is_accused(call) for call in self._calls.values())
        new = sum(alert_fields(one).state is AlertState.NEW for one in self._alerts.values())
        return f"{live} live, {accused} synthetic · {len(self._alerts)} alerts open, {new} new"

    def call_rows(self, now: datetime) -> list[Row]:
        """A row a leg: live calls by falling risk, then ended ones, the newest first."""
        return [
            Row(f"{call.id}/{leg.leg.value if leg else ''}", _call_cells(call, leg, now))
            for call in self._in_order()
            for leg in (call.legs or [None])
        ]

    def alert_rows(self) -> list[Row]:
        """New ones first, then the most severe, then the newest."""
        severities = list(Severity)
        found = sorted(self._alerts.items(), key=lambda one: one[0], reverse=True)
        found.sort(
            key=lambda one: (
                alert_fields(one[1]).state is not AlertState.NEW,
                -severities.index(alert_fields(one[1]).severity),
            )
        )
        return [Row(id, _alert_cells(alert_fields(alert))) for id, alert in found]

    def _in_order(self) -> list[CallView]:
        newest_first = sorted(self._calls.values(), key=lambda call: call.id, reverse=True)
        return sorted(newest_first, key=_by_risk)

    def _is_wanted(self, id: str, external_id: str | None) -> bool:
        return self._only is None or self._only in (id, external_id)


def alert_id(alert: SeenAlert) -> str:
    """By which it is known."""
    return alert.id if isinstance(alert, AlertView) else alert.data.alert_id


def alert_fields(alert: SeenAlert) -> AlertFields:
    """What is said of it, wherever."""
    return alert if isinstance(alert, AlertView) else alert.data


def columns(of: dict[str, int], width: int) -> list[str]:
    """Those that so wide a terminal has room for."""
    return [name for name, least in of.items() if width >= least]


def printable(text: str) -> str:
    """Callers choose their ids: no terminal sequence in them may act here."""
    return "".join(one if one.isprintable() else "?" for one in text)


def name_of(call_id: str, external_id: str | None) -> str:
    """What a call is called where there is little room."""
    name = printable(external_id or call_id)
    return name if len(name) <= MOST_NAME else name[: MOST_NAME - 1] + "…"


def _by_risk(call: CallView) -> tuple[bool, float]:
    is_over = call.state is CallState.ENDED
    return (is_over, 0.0 if is_over else -max(map(_risk, call.legs), default=0.0))


def _risk(leg: LegView) -> float:
    """By its verdict first, then by how sure it is; as the dashboard orders calls."""
    if leg.decision is None:
        return 0.0
    return WEIGHTS[leg.decision.verdict] + leg.decision.spoof_probability


def _is_accused(call: CallView) -> bool:
    decisions = [leg.decision for leg in call.legs if leg.decision is not None]
    is_live = call.state is CallState.LIVE
    return is_live and any(one.verdict is Verdict.SYNTHETIC for one in decisions)


def _call_cells(call: CallView, leg: LegView | None, now: datetime) -> dict[str, tuple[str, str]]:
    style = "dim" if call.state is CallState.ENDED else ""
    cells = {
        "call": name_of(call.id, call.external_id),
        "line": printable(call.line or ""),
        "protocol": printable(call.protocol),
        "leg": leg.leg.value if leg else "",
        "age": _age(call, now),
    }
    told = {name: (text, style) for name, text in cells.items()}
    if leg is None or leg.decision is None:
        return told | {"verdict": (call.state.value, "dim")}
    return told | _decision_cells(leg.decision, style)


def _decision_cells(decision: CallScoreData, style: str) -> dict[str, tuple[str, str]]:
    top, quality = decision.attribution[0], decision.quality
    lost = f" {100 * quality.loss_ratio:.0f} % lost" if quality.loss_ratio >= 0.005 else ""
    return {
        "verdict": (decision.verdict.value, style or VERDICT_STYLES[decision.verdict]),
        "synthetic": (f"{100 * decision.spoof_probability:.0f} %", style),
        "source": (f"{printable(top.source)} {100 * top.probability:.0f} %", style),
        "speech": (f"{decision.speech_ms / 1000:.0f} s", style),
        "quality": (
            printable(quality.codec) + lost + (" degraded" if quality.degraded else ""),
            style,
        ),
    }


def _alert_cells(fields: AlertFields) -> dict[str, tuple[str, str]]:
    is_new = fields.state is AlertState.NEW
    return {
        "severity": (fields.severity.value, SEVERITY_STYLES[fields.severity]),
        "state": (fields.state.value, "bold" if is_new else ""),
        "call": (name_of(fields.call_id, fields.external_id), ""),
        "leg": (fields.leg.value, ""),
        "with": (printable(fields.assignee or ""), ""),
        "reason": (printable(fields.evidence.reason), "dim" if fields.is_withdrawn else ""),
    }


def _age(call: CallView, now: datetime) -> str:
    """How long it lasts, or lasted."""
    until = now if call.ended is None else datetime.fromisoformat(call.ended)
    seconds = max(int((until - datetime.fromisoformat(call.started)).total_seconds()), 0)
    return f"{seconds // 60}:{seconds % 60:02}"
