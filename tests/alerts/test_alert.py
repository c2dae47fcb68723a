"""An alert among people: the whole table of who may do what, and what is written down of it."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from streamtrace.alerts.alert import (
    MOST_NOTE,
    POLICY,
    Wish,
    cut_off,
    decided,
    opened,
    played,
    possible,
    told,
    worked,
)
from streamtrace.alerts.watch import AlertClosed, AlertOpened, AlertUpdated
from streamtrace.errors import AlertConflict, AlertIncomplete, AlertStale
from streamtrace.events.alerts import Alert, AlertAction, AlertState, Disposition, Severity
from tests.alerts import scores, test_watch

AT = datetime(2026, 11, 21, 1, 2, 3, tzinfo=UTC)
LATER = AT + timedelta(minutes=1)
NEW, ACK, ESC, DIS, RES = AlertState
[OPENED, *_] = test_watch.watched(scores.call([5.0] * 125))
assert isinstance(OPENED, AlertOpened)

# What each action makes of each state; None: refused.
TABLE: dict[AlertAction, dict[AlertState, AlertState | None]] = {
    AlertAction.ACK: {NEW: ACK, ACK: None, ESC: None, DIS: None, RES: None},
    AlertAction.ASSIGN: {NEW: NEW, ACK: ACK, ESC: ESC, DIS: None, RES: None},
    AlertAction.ESCALATE: {NEW: None, ACK: ESC, ESC: None, DIS: None, RES: None},
    AlertAction.DISMISS: {NEW: None, ACK: DIS, ESC: DIS, DIS: None, RES: None},
    AlertAction.RESOLVE: {NEW: None, ACK: RES, ESC: RES, DIS: None, RES: None},
}
CASES = [(action, state, after) for action, row in TABLE.items() for state, after in row.items()]


def alert(state: AlertState = NEW) -> Alert:
    return dataclasses.replace(opened(OPENED, AT).alert, state=state, version=7)


def wish(action: AlertAction, **given: object) -> Wish:
    whole: dict[str, object] = {
        "assignee": "ada",
        "disposition": Disposition.FALSE_POSITIVE,
        "note": "known voice",
    }
    return Wish(action, "grace", 7, **whole | given)  # type: ignore[arg-type]


@pytest.mark.parametrize(("action", "state", "after"), CASES)
def test_the_table(action: AlertAction, state: AlertState, after: AlertState | None) -> None:
    before = alert(state)
    if after is None:
        with pytest.raises(AlertConflict, match=f"cannot {action.value} an alert that is"):
            worked(before, wish(action), LATER)
        return
    change = worked(before, wish(action), LATER)
    assert change.alert.state is after
    assert change.alert.version == 8
    entry = change.entry
    assert (entry.action, entry.actor, entry.at, entry.version) == (action, "grace", LATER, 8)
    assert (entry.before, entry.after) == (state, after)


@pytest.mark.parametrize("state", list(AlertState))
def test_a_play_is_written_down_whatever_the_state_and_changes_nothing_else(
    state: AlertState,
) -> None:
    before = dataclasses.replace(alert(state), note="known voice")
    stale = dataclasses.replace(wish(AlertAction.PLAY), version=2)
    [change] = decided(before, stale, LATER)
    assert change == played(before, "grace", LATER)
    assert change.alert == dataclasses.replace(before, version=8)
    entry = change.entry
    assert (entry.action, entry.actor, entry.at, entry.version) == ("play", "grace", LATER, 8)
    assert (entry.before, entry.after, entry.note) == (state, state, None)
    assert AlertAction.PLAY not in possible(before)  # it has a route of its own


@pytest.mark.parametrize("actor", ["policy", "", " ", "a" * 201])
def test_nobody_plays_without_a_name(actor: str) -> None:
    with pytest.raises(AlertIncomplete, match="want an actor"):
        played(alert(), actor, LATER)


def test_a_new_alert_is_written_down_too() -> None:
    change = opened(OPENED, AT)
    assert (change.alert.version, change.alert.state) == (1, NEW)
    assert (change.entry.before, change.entry.after, change.entry.actor) == (None, NEW, POLICY)
    assert change.alert.evidence is OPENED.finding.evidence


def test_closing_keeps_disposition_and_note_and_assigning_the_assignee() -> None:
    assigned = worked(alert(ACK), wish(AlertAction.ASSIGN), LATER).alert
    assert (assigned.assignee, assigned.disposition, assigned.note) == ("ada", None, None)
    closed = worked(alert(ACK), wish(AlertAction.DISMISS), LATER).alert
    assert (closed.disposition, closed.note) == (Disposition.FALSE_POSITIVE, "known voice")
    assert not closed.is_open


@pytest.mark.parametrize("version", [6, 8])
def test_who_looked_at_another_version_has_to_look_again(version: int) -> None:
    with pytest.raises(AlertStale, match="version"):
        worked(alert(), dataclasses.replace(wish(AlertAction.ACK), version=version), LATER)
    assert AlertStale.http_status == 412


@pytest.mark.parametrize(
    ("action", "given", "message"),
    [
        (AlertAction.ASSIGN, {"assignee": None}, "want an assignee"),
        (AlertAction.ASSIGN, {"assignee": "a" * 201}, "at most 200 characters, not 201"),
        (AlertAction.DISMISS, {"note": None}, "want a note that says why"),
        (AlertAction.DISMISS, {"note": "  "}, "want a note that says why"),
        (AlertAction.DISMISS, {"note": "n" * (MOST_NOTE + 1)}, "note of at most 4000"),
        (AlertAction.DISMISS, {"disposition": None}, "want a disposition: true_positive, "),
        (AlertAction.RESOLVE, {"disposition": None}, "want a disposition"),
        (AlertAction.DISMISS, {"disposition": Disposition.TRUE_POSITIVE}, "resolve it"),
    ],
)
def test_what_is_missing_is_named(
    action: AlertAction, given: dict[str, object], message: str
) -> None:
    with pytest.raises(AlertIncomplete, match=message):
        worked(alert(ACK), wish(action, **given), LATER)


def test_nobody_acts_without_a_name_and_nobody_does_what_only_the_policy_does() -> None:
    with pytest.raises(AlertIncomplete, match="want an actor"):
        worked(alert(), dataclasses.replace(wish(AlertAction.ACK), actor=" "), LATER)
    with pytest.raises(AlertConflict, match="no action of people"):
        worked(alert(), wish(AlertAction.WITHDRAW), LATER)


def test_news_of_the_call_moves_evidence_and_severity_but_no_person_s_work() -> None:
    finding = dataclasses.replace(OPENED.finding, severity=Severity.CRITICAL, is_withdrawn=True)
    change = told(alert(ESC), AlertUpdated(finding), LATER)
    assert (change.alert.state, change.alert.severity) == (ESC, Severity.CRITICAL)
    assert (change.alert.version, change.entry.action) == (8, AlertAction.WITHDRAW)
    again = told(change.alert, AlertUpdated(finding), LATER)
    assert again.entry.action is AlertAction.UPDATE


def test_the_policy_closes_what_nobody_took_up_and_nothing_else() -> None:
    finding = dataclasses.replace(OPENED.finding, is_withdrawn=True, is_call_over=True)
    closed = told(alert(NEW), AlertClosed(finding), LATER)
    assert closed.alert.state is RES
    assert closed.alert.disposition is Disposition.INCONCLUSIVE
    assert (closed.entry.actor, closed.entry.action) == (POLICY, AlertAction.RESOLVE)
    assert told(alert(ACK), AlertClosed(finding), LATER).alert.state is ACK


@pytest.mark.parametrize(("action", "state", "after"), CASES)
def test_what_is_possible_is_what_is_not_refused(
    action: AlertAction, state: AlertState, after: AlertState | None
) -> None:
    before = alert(state)
    implied = state is NEW and action is not AlertAction.ASSIGN
    assert (action in possible(before)) is (after is not None or implied)
    if action in possible(before):
        assert decided(before, wish(action), LATER)[-1].alert.is_open is (
            action not in (AlertAction.DISMISS, AlertAction.RESOLVE)
        )


@pytest.mark.parametrize("action", [AlertAction.ESCALATE, AlertAction.DISMISS, AlertAction.RESOLVE])
def test_who_decides_a_new_alert_in_one_go_acknowledges_it(action: AlertAction) -> None:
    seen, done = decided(alert(), wish(action), LATER)
    assert (seen.entry.action, seen.entry.after, seen.entry.actor) == (
        AlertAction.ACK,
        ACK,
        "grace",
    )
    assert seen.entry.note is None
    assert (done.entry.before, done.entry.version, done.entry.note) == (ACK, 9, "known voice")
    assert done == worked(seen.alert, dataclasses.replace(wish(action), version=8), LATER)


def test_nothing_is_acknowledged_where_the_decision_is_refused() -> None:
    with pytest.raises(AlertIncomplete):
        decided(alert(), wish(AlertAction.DISMISS, note=None), LATER)
    with pytest.raises(AlertStale):
        decided(alert(), dataclasses.replace(wish(AlertAction.DISMISS), version=6), LATER)
    with pytest.raises(AlertConflict):
        decided(alert(DIS), wish(AlertAction.RESOLVE), LATER)
    assert len(decided(alert(ACK), wish(AlertAction.DISMISS), LATER)) == 1


def test_a_call_that_was_cut_off_leaves_its_alert_to_people_unless_it_fell_back() -> None:
    change = cut_off(alert(), LATER)
    assert (change.alert.state, change.alert.is_call_over) == (NEW, True)
    assert (change.entry.action, change.entry.actor) == (AlertAction.UPDATE, POLICY)
    assert change.alert.evidence is alert().evidence
    fell_back = dataclasses.replace(alert(), is_withdrawn=True)
    assert cut_off(fell_back, LATER).alert.state is RES
    assert cut_off(dataclasses.replace(fell_back, state=ACK), LATER).alert.state is ACK
