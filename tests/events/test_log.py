"""The log: every event once and in order, or a gap that says so."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings, strategies as st

from streamtrace.events.events import CallEnded
from streamtrace.events.log import MOST_EVENTS, EventLog, WireEvent
from streamtrace.events.wire import EVENT, CloudEvent, StreamGapEvent, cloud_event
from streamtrace.settings import Settings
from streamtrace.values import EndReason, Leg
from tests.sinks.events import final, partial

AT = datetime(2026, 11, 21, tzinfo=UTC)


def event(sequence: int) -> CloudEvent:
    return cloud_event(
        CallEnded(EndReason.HUNG_UP),
        call_id="call_1",
        external_id="CA7",
        sequence=sequence,
        time=AT,
        event_id=f"e{sequence}",
    )


def log_of(count: int, most: int = 1000) -> EventLog:
    log = EventLog(most)
    for number in range(1, count + 1):
        log.append(WireEvent.of(event(number)))
    return log


def numbers(events: list[WireEvent]) -> list[int]:
    return [each.number for each in events]


def gap_of(kept: WireEvent) -> StreamGapEvent:
    gap = EVENT.validate_json(kept.text)
    assert isinstance(gap, StreamGapEvent)
    return gap


def test_an_empty_log() -> None:
    log = log_of(0)
    assert (log.oldest, log.newest, log.forgotten) == (0, 0, 0)
    assert log.after(0, 10) == []


def test_reading_on() -> None:
    log = log_of(5)
    assert numbers(log.after(0, 2)) == [1, 2]
    assert numbers(log.after(2, 10)) == [3, 4, 5]
    assert log.after(5, 10) == []
    assert log.after(99, 10) == []
    assert numbers(log.after(-3, 1)) == [1]
    assert log.after(0, 0) == []


def test_a_cursor_that_is_too_old_is_told() -> None:
    log = log_of(10, most=4)
    first, *rest = log.after(2, 10)
    gap = gap_of(first)
    assert (int(gap.data.first), int(gap.data.last), gap.number) == (3, 6, 6)
    assert gap.data.external_id == "CA7"
    assert gap.subject == "call_1"
    assert numbers(rest) == [7, 8, 9, 10]
    assert log.after(2, 10)[0] == first  # asked again, it has the same id


def test_the_gap_counts_towards_the_limit() -> None:
    log = log_of(10, most=4)
    assert [each.type for each in log.after(0, 1)] == ["stream.gap.v1"]
    assert numbers(log.after(0, 2)) == [6, 7]
    assert log.after(0, 0) == []


def test_the_oldest_cursor_that_misses_nothing() -> None:
    log = log_of(10, most=4)
    assert (log.oldest, log.newest, log.forgotten) == (7, 10, 6)
    assert numbers(log.after(6, 10)) == [7, 8, 9, 10]


def test_an_event_out_of_turn_is_refused() -> None:
    log = log_of(2)
    for wrong in (1, 2):
        with pytest.raises(ValueError, match=f"event {wrong} came behind 2"):
            log.append(WireEvent.of(event(wrong)))


def test_a_number_that_was_left_out_is_no_gap() -> None:
    log = EventLog(3)
    for number in (1, 2, 5, 6, 9):
        log.append(WireEvent.of(event(number)))
    assert (log.oldest, log.newest, log.forgotten) == (5, 9, 2)
    for cursor in (2, 3, 4):
        assert numbers(log.after(cursor, 10)) == [5, 6, 9]
    assert numbers(log.after(7, 10)) == [9]
    assert gap_of(log.after(1, 10)[0]).number == 2


def test_a_log_of_a_past_call_holds_nothing_and_knows_its_end() -> None:
    log = EventLog(1, forgotten=7)
    assert (log.oldest, log.newest, log.forgotten) == (0, 7, 7)
    assert log.after(0, 10) == []
    with pytest.raises(ValueError, match="event 7 came behind 7"):
        log.append(WireEvent.of(event(7)))


def test_there_must_be_room() -> None:
    with pytest.raises(ValueError, match="most=0"):
        EventLog(0)


@pytest.mark.laws
@settings(max_examples=50, deadline=None)
@given(count=st.integers(0, 30), most=st.integers(1, 12), limit=st.integers(1, 7))
def test_paging_through_sees_every_number_once(count: int, most: int, limit: int) -> None:
    log, cursor, seen = log_of(count, most), 0, []
    while page := log.after(cursor, limit):
        for each in page:
            if each.type == "stream.gap.v1":
                gap = gap_of(each)
                seen += range(int(gap.data.first), int(gap.data.last) + 1)
            else:
                seen.append(each.number)
        cursor = page[-1].number
    assert seen == list(range(1, count + 1))


def test_what_is_kept_is_what_goes_over_the_wire() -> None:
    one = partial(7, Leg.CALLEE)
    kept = WireEvent.of(one)
    assert kept.text == one.to_json()
    assert EVENT.validate_json(kept.text) == one
    assert (kept.number, kept.type) == (7, "call.score.v1")
    assert (kept.leg, kept.is_score, kept.is_final) == (Leg.CALLEE, True, False)
    assert WireEvent.of(final(8)).is_final
    assert not WireEvent.of(event(9)).is_score


def test_the_server_keeps_as_many_as_a_log_does_by_itself() -> None:
    assert Settings().events_kept_per_call == MOST_EVENTS
