"""A stream's events once and in order, in however many pieces; and how soon it is tried again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from streamtrace.client.backoff import Backoff
from streamtrace.client.items import UnknownEvent, read_alert_item, read_call_item, read_frame
from streamtrace.client.story import MOST_IDS, Story
from streamtrace.errors import AnswerUnreadable
from streamtrace.events.wire import CallEndedEvent, StreamGapEvent


def text(number: int, kind: str = "call.ended.v1", **data: Any) -> str:
    told = {"external_id": None} | data
    if kind == "call.ended.v1":
        told = {"reason": "hung_up", "error": None} | told
    return json.dumps(
        {
            "id": f"e{number}",
            "type": kind,
            "source": "/v1/calls/c",
            "subject": "c",
            "time": "2026-01-02T03:04:05.000Z",
            "sequence": f"{number:020d}",
            "data": told,
        }
    )


def test_each_event_comes_once_however_often_it_is_told() -> None:
    story = Story(read_call_item)
    taken = [story.take(text(number)) for number in (1, 2, 1, 2, 3, 3, 4)]
    assert [item.id for item in taken if item] == ["e1", "e2", "e3", "e4"]
    assert story.cursor == 4


def test_it_goes_on_behind_where_it_was_left() -> None:
    story = Story(read_call_item, after=7)
    assert story.take(text(7)) is None
    assert story.take(text(8)) is not None


def test_a_heartbeat_is_no_event_and_moves_nothing() -> None:
    story = Story(read_call_item)
    assert story.take(text(5, "stream.heartbeat.v1")) is None
    assert story.cursor == 0


def test_a_gap_is_told_and_the_cursor_is_behind_it() -> None:
    story = Story(read_call_item, last_type="call.ended.v1")
    gap = story.take(text(9, "stream.gap.v1", **{"from": f"{1:020d}", "to": f"{9:020d}"}))
    assert isinstance(gap, StreamGapEvent)
    assert (gap.data.first, story.cursor, story.ended) == (f"{1:020d}", 9, False)
    assert isinstance(story.take(text(10)), CallEndedEvent)
    assert story.ended


def test_behind_a_restart_only_what_is_new_comes() -> None:
    story = Story(read_call_item)
    for number in (1, 2, 3):
        story.take(text(number))
    story.restart()
    again = [story.take(text(number)) for number in (1, 2, 3, 4)]
    assert [item.id for item in again if item] == ["e4"]


def test_a_gap_behind_a_restart_is_another_one() -> None:
    story = Story(read_call_item)
    gap = text(3, "stream.gap.v1", **{"from": f"{1:020d}", "to": f"{3:020d}"})
    assert isinstance(story.take(gap), StreamGapEvent)
    assert story.take(gap) is None
    story.restart()
    assert isinstance(story.take(gap), StreamGapEvent)


def test_what_it_remembers_is_bounded() -> None:
    story = Story(read_call_item)
    for number in range(1, MOST_IDS + 3):
        story.take(text(number))
    story.restart()
    assert story.take(text(1)) is not None  # forgotten
    assert story.take(text(MOST_IDS + 2)) is None


def test_an_event_of_a_newer_server_is_given_as_it_is() -> None:
    for read in (read_call_item, read_alert_item):
        item = read(text(3, "call.mood.v1", mood="sunny"))
        assert isinstance(item, UnknownEvent)
        assert (item.id, item.number, item.data["mood"]) == ("e3", 3, "sunny")


@pytest.mark.parametrize("junk", ["", "7", "[]", "{}", '{"id": "x"}', '{"calls": [7]}'])
def test_what_is_no_event_is_an_error_that_says_what_to_do(junk: str) -> None:
    for read in (read_call_item, read_alert_item, read_frame):
        with pytest.raises(AnswerUnreadable, match="use its version"):
            read(junk)


def test_waits_double_up_to_a_bound_and_are_spread() -> None:
    backoff = Backoff(first_s=0.5, most_s=10.0)
    assert [backoff.wait_s(n, 1.0) for n in (1, 2, 3, 4, 5, 6)] == [0.5, 1, 2, 4, 8, 10]
    assert backoff.wait_s(3, 0.0) == 1.0
    assert backoff.wait_s(10**6, 0.5) == 7.5
