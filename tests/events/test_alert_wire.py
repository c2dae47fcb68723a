"""Alerts on the wire: one type for each turn, read back as they were written."""

from __future__ import annotations

import dataclasses
import json

import pytest

from streamtrace.alerts.alert import Wish, opened, worked
from streamtrace.events.alert_wire import (
    ALERT_EVENT,
    AlertClosedEvent,
    AlertOpenedEvent,
    AlertUpdatedEvent,
    alert_event,
    missed_in_feed,
)
from streamtrace.events.alerts import AlertAction, AlertState, Disposition
from streamtrace.events.log import EventLog, WireEvent
from tests.alerts.test_alert import AT, LATER, OPENED, alert, wish


def test_an_alert_is_opened_on_the_wire() -> None:
    change = opened(OPENED, AT)
    event = alert_event(change.alert, change.entry, sequence=3)
    assert isinstance(event, AlertOpenedEvent)
    said = json.loads(event.to_json())
    assert (said["type"], said["subject"]) == ("alert.opened.v1", "alert_01ABC_caller")
    assert said["source"] == "/v1/alerts/alert_01ABC_caller"
    assert said["id"] == "alert_01ABC_caller-1"
    assert said["sequence"] == f"{3:020d}"
    assert said["time"] == "2026-11-21T01:02:03.000Z"
    data = said["data"]
    assert (data["external_id"], data["call_id"], data["leg"]) == ("CA1", "call_01ABC", "caller")
    assert (data["version"], data["state"], data["severity"]) == (1, "new", "medium")
    assert data["evidence"]["segments"][0]["start_ms"] == 0
    assert data["evidence"]["reason"].endswith(".")


@pytest.mark.parametrize(
    ("action", "state", "kind"),
    [
        (AlertAction.ACK, AlertState.NEW, AlertUpdatedEvent),
        (AlertAction.ASSIGN, AlertState.NEW, AlertUpdatedEvent),
        (AlertAction.ESCALATE, AlertState.ACKNOWLEDGED, AlertUpdatedEvent),
        (AlertAction.DISMISS, AlertState.ACKNOWLEDGED, AlertClosedEvent),
        (AlertAction.RESOLVE, AlertState.ESCALATED, AlertClosedEvent),
    ],
)
def test_what_people_do_is_an_update_until_it_closes(
    action: AlertAction, state: AlertState, kind: type
) -> None:
    change = worked(alert(state), wish(action), LATER)
    event = alert_event(change.alert, change.entry, sequence=1)
    assert isinstance(event, kind)
    assert (event.data.action, event.data.actor) == (action, "grace")


def test_late_news_of_a_closed_alert_does_not_close_it_again() -> None:
    closed = worked(alert(AlertState.ACKNOWLEDGED), wish(AlertAction.RESOLVE), LATER)
    entry = dataclasses.replace(closed.entry, action=AlertAction.UPDATE, before=AlertState.RESOLVED)
    assert isinstance(alert_event(closed.alert, entry, sequence=2), AlertUpdatedEvent)


def test_what_was_written_is_read_and_its_log_keeps_it() -> None:
    log = EventLog()
    change = opened(OPENED, AT)
    event = alert_event(change.alert, change.entry, sequence=1)
    log.append(WireEvent.of(event))
    assert ALERT_EVENT.validate_json(log.after(0, 10)[0].text) == event
    done = Wish(AlertAction.ACK, "grace", 1, disposition=Disposition.INCONCLUSIVE)
    second = worked(change.alert, done, LATER)
    log.append(WireEvent.of(alert_event(second.alert, second.entry, sequence=2)))
    assert log.newest == 2


def test_a_reader_whom_the_feed_s_memory_has_left_is_told_what_is_missing() -> None:
    log = EventLog(1, gap=missed_in_feed)
    change = opened(OPENED, AT)
    for sequence in range(1, 4):
        log.append(WireEvent.of(alert_event(change.alert, change.entry, sequence=sequence)))
    gap, event = [json.loads(one.text) for one in log.after(0, 10)]
    assert (gap["type"], gap["source"], gap["subject"]) == (
        "stream.gap.v1",
        "/v1/alerts",
        "alerts",
    )
    assert (int(gap["data"]["from"]), int(gap["data"]["to"])) == (1, 2)
    assert (gap["sequence"], gap["time"]) == (gap["data"]["to"], event["time"])
