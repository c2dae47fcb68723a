"""Readers of a call's events: from any cursor, each at its own speed, none without bound."""

from __future__ import annotations

import asyncio

import pytest

from streamtrace.events.log import WireEvent
from streamtrace.events.wire import EVENT, StreamGapEvent
from streamtrace.sinks.channel import BATCH, EventChannel, EventReader, SlowReader
from streamtrace.values import Leg
from tests.sinks.events import ended, final, partial, started


def filled(events: int, *, most_events: int = 1_000, most_behind: int = 8) -> EventChannel:
    """`started`, then partial scores."""
    channel = EventChannel(most_events=most_events, most_behind=most_behind)
    for number in range(1, events + 1):
        channel.publish(partial(number) if number > 1 else started())
    return channel


async def read_all(reader: EventReader) -> list[WireEvent]:
    events: list[WireEvent] = []
    while more := await reader.next_events(0.01):
        events += more
    return events


def numbers(events: list[WireEvent]) -> list[int]:
    return [event.number for event in events]


async def test_history_comes_whole_however_long_it_is() -> None:
    channel = filled(3 * BATCH)
    with channel.reader() as reader:
        assert numbers(await read_all(reader)) == list(range(1, 3 * BATCH + 1))


async def test_a_cursor_resumes_behind_it() -> None:
    with filled(9).reader(after=6) as reader:
        assert numbers(await read_all(reader)) == [7, 8, 9]


async def test_a_cursor_that_is_too_old_is_told_of_the_gap() -> None:
    with filled(50, most_events=10).reader(after=3) as reader:
        first, *rest = await read_all(reader)
    gap = EVENT.validate_json(first.text)
    assert isinstance(gap, StreamGapEvent)
    assert (int(gap.data.first), int(gap.data.last)) == (4, 40)
    assert numbers(rest) == list(range(41, 51))


async def test_a_reader_is_woken_by_what_comes() -> None:
    channel = filled(1)
    with channel.reader(after=1) as reader:
        waiting = asyncio.create_task(reader.next_events(5))
        await asyncio.sleep(0)
        channel.publish(ended(2))
        assert numbers(await waiting) == [2]
        assert not reader.ended
        channel.close()
        assert reader.ended
        assert await reader.next_events(5) == []


async def test_the_end_wakes_a_reader_that_has_all() -> None:
    channel = filled(1)
    with channel.reader(after=1) as reader:
        waiting = asyncio.create_task(reader.next_events(5))
        await asyncio.sleep(0)
        channel.close()
        assert await waiting == []


async def test_who_lags_is_spared_outdated_scores_only() -> None:
    skipped: list[int] = []
    channel = EventChannel(most_events=1_000, most_behind=8, on_skip=skipped.append)
    with channel.reader() as reader:
        assert await reader.next_events(0.001) == []  # it is live now
        channel.publish(started())
        for number in range(2, 20):
            channel.publish(partial(number, Leg.CALLER if number % 2 else Leg.CALLEE))
        channel.publish(final(20, Leg.CALLER))
        channel.publish(final(21, Leg.CALLEE))
        channel.publish(ended(22))
        assert numbers(await read_all(reader)) == [1, 20, 21, 22]
    assert skipped == [18]


async def test_the_newest_partial_of_each_leg_stays() -> None:
    channel = filled(1)
    with channel.reader(after=1) as reader:
        await reader.next_events(0.001)
        for number in range(2, 21):
            channel.publish(partial(number, Leg.CALLER if number < 10 else Leg.CALLEE))
        assert numbers(await read_all(reader)) == [9, 20]


async def test_who_lags_too_far_all_the_same_is_refused() -> None:
    channel = filled(1, most_behind=4)
    with channel.reader(after=1) as reader:
        await reader.next_events(0.001)
        for number in range(2, 10):
            channel.publish(started(number))
        with pytest.raises(SlowReader) as slow:
            await reader.next_events(1)
    assert slow.value.close_code == 1013


async def test_readers_do_not_hold_each_other_up() -> None:
    channel = filled(5)
    with channel.reader() as quick, channel.reader() as slow:
        assert len(await read_all(quick)) == 5
        channel.publish(ended(6))
        assert len(await read_all(quick)) == 1
        assert len(await read_all(slow)) == 6
