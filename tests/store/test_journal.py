"""The journal: kept first, shown then, in order; live only while nothing can be kept."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from streamtrace.errors import StoreFailed
from streamtrace.events.log import WireEvent
from streamtrace.events.wire import EVENT, StreamGapEvent
from streamtrace.store import journal as module
from streamtrace.store.journal import Journal
from streamtrace.store.rows import ENDED, Batch, CallRow, RowRefused
from streamtrace.store.thread import JobThread
from streamtrace.values import Leg
from tests.sinks.events import ended, final, partial, started
from tests.store.databases import Told, row, wire


class Disk:
    """What is written, in the writer's thread; a test fills the disk, or stops it."""

    def __init__(self) -> None:
        self.events: dict[str, dict[int, WireEvent]] = {}
        self.calls: dict[str, CallRow] = {}
        self.batches = 0
        self.is_full = False
        self.refused: set[str] = set()
        self.runs = threading.Event()
        self.runs.set()

    def write(self, batch: Batch) -> None:
        assert self.runs.wait(10)
        if self.is_full:
            raise StoreFailed("database or disk is full")
        if self.refused & {one.call_id for one in batch.events}:
            raise RowRefused("no text")
        self.batches += 1
        self.calls |= {call.id: call for call in batch.calls}
        for one in batch.events:
            self.events.setdefault(one.call_id, {}).setdefault(one.event.number, one.event)

    def numbers(self, call_id: str = "call_1") -> list[int]:
        return list(self.events.get(call_id, {}))


@asynccontextmanager
async def journal_on(disk: Disk, *, patience_s: float = 5.0) -> AsyncGenerator[Journal]:
    thread = JobThread("test-writer")
    with capture_logs() as logs:
        async with Journal(disk.write, thread, patience_s=patience_s, retry_s=0.01) as journal:
            yield journal
    thread.close()
    assert sum(line["log_level"] == "error" for line in logs) <= 2


def put(
    journal: Journal, call: Told, events: Iterable[WireEvent], last: CallRow | None = None
) -> None:
    for event in events:
        is_last = last is not None and event.type == "call.ended.v1"
        given = row(call.id) if event.number == 1 else last if is_last else None
        journal.put(call, event, given, lambda event=event: call.show(event))


async def until(what: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while True:
            if what():
                return
            await asyncio.sleep(0.002)


async def test_nothing_is_shown_before_it_is_kept() -> None:
    disk, call = Disk(), Told()
    disk.runs.clear()
    async with journal_on(disk) as journal:
        put(journal, call, [wire(started(1)), wire(partial(2))])
        await asyncio.sleep(0.02)
        assert call.shown == []
        disk.runs.set()
        await journal.flushed()
        assert call.shown == disk.numbers() == [1, 2]
        assert disk.calls == {"call_1": row()}


async def test_what_comes_while_a_batch_is_written_is_the_next_one() -> None:
    disk, calls = Disk(), [Told(f"call_{n}") for n in range(20)]
    disk.runs.clear()
    async with journal_on(disk) as journal:
        put(journal, calls[0], [wire(started(1))])
        await asyncio.sleep(0)
        for call in calls[1:]:
            put(journal, call, [wire(started(1)), wire(partial(2))])
        disk.runs.set()
        await journal.flushed()
    assert disk.batches == 2
    assert [call.shown for call in calls[1:]] == [[1, 2]] * 19


async def test_what_was_put_last_is_kept_on_the_way_down() -> None:
    disk, call = Disk(), Told()
    async with journal_on(disk) as journal:
        put(journal, call, [wire(started(1)), wire(final(2)), wire(ended(3))], row(state=ENDED))
    assert call.shown == disk.numbers() == [1, 2, 3]
    assert disk.calls["call_1"].state == ENDED


async def test_on_a_slow_disk_outdated_scores_give_way_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_BEHIND", 4)
    disk, call = Disk(), Told()
    unkept: list[tuple[str, int]] = []
    disk.runs.clear()
    async with journal_on(disk) as journal:
        journal.watch.unkept = lambda why, events: unkept.append((why, events))
        put(journal, call, [wire(started(1))])
        await asyncio.sleep(0)
        put(journal, call, [wire(partial(n)) for n in range(2, 20)])
        put(journal, call, [wire(partial(20, Leg.CALLEE)), wire(final(21)), wire(ended(22))])
        disk.runs.set()
        await journal.flushed()
    assert call.shown == disk.numbers()
    assert call.shown[0] == 1
    assert call.shown[-4:] == [19, 20, 21, 22]
    assert len(call.shown) == 8
    assert unkept == [("outdated", 1)] * (22 - 8)


async def test_on_a_full_disk_events_are_shown_live_and_written_when_there_is_room() -> None:
    disk, call, other = Disk(), Told("call_1"), Told("call_2")
    states: list[bool] = []
    async with journal_on(disk) as journal:
        journal.watch.live_only = states.append
        put(journal, call, [wire(started(1)), wire(partial(2))])
        await journal.flushed()
        disk.is_full = True
        put(journal, call, [wire(partial(3))])
        await until(lambda: journal.problem)
        assert journal.problem == "database or disk is full"
        put(journal, call, [wire(partial(4)), wire(final(5)), wire(ended(6))], row(state=ENDED))
        put(journal, other, [wire(started(1))])
        assert (call.shown, other.shown) == ([1, 2, 3, 4, 5, 6], [1])  # at once
        assert disk.numbers() == [1, 2]
        disk.is_full = False
        await until(lambda: journal.problem is None)
        put(journal, other, [wire(partial(2))])
        await journal.flushed()
    assert disk.numbers() == [1, 2, 3, 4, 5, 6]
    assert disk.numbers("call_2") == other.shown == [1, 2]
    assert disk.calls == {"call_1": row(state=ENDED), "call_2": row("call_2")}
    assert states == [True, False]


async def test_what_memory_lost_meanwhile_is_marked() -> None:
    disk, call = Disk(), Told(most=4)
    async with journal_on(disk) as journal:
        put(journal, call, [wire(started(1)), wire(partial(2))])
        await journal.flushed()
        disk.is_full = True
        put(journal, call, [wire(partial(n)) for n in range(3, 13)])
        await until(lambda: journal.problem)
        disk.is_full = False
        await until(lambda: journal.problem is None)
    assert disk.numbers() == [1, 2, 8, 9, 10, 11, 12]
    gap = EVENT.validate_json(disk.events["call_1"][8].text)
    assert isinstance(gap, StreamGapEvent)
    assert (int(gap.data.first), int(gap.data.last)) == (3, 8)


async def test_a_disk_that_does_not_answer_counts_as_gone() -> None:
    disk, call = Disk(), Told()
    async with journal_on(disk, patience_s=0.05) as journal:
        disk.runs.clear()
        put(journal, call, [wire(started(1))])
        await until(lambda: journal.problem)
        assert "has not answered" in str(journal.problem)
        put(journal, call, [wire(partial(2))])
        assert call.shown == [1, 2]
        await asyncio.sleep(0.2)  # it tries again, and nothing piles up
        disk.runs.set()
        await until(lambda: journal.problem is None)
        put(journal, call, [wire(partial(3))])
        await journal.flushed()
    assert call.shown == disk.numbers() == [1, 2, 3]


async def test_too_much_that_waits_is_shown_live_in_its_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 8)
    disk, call = Disk(), Told()
    disk.runs.clear()
    async with journal_on(disk) as journal:
        put(journal, call, [wire(started(1))])
        await asyncio.sleep(0.01)  # that one is being written
        put(journal, call, [wire(started(n)) for n in range(2, 12)])
        assert call.shown == list(range(1, 12))
        disk.runs.set()
        await until(lambda: journal.problem is None)
        await journal.flushed()
    assert disk.numbers() == list(range(1, 12))


async def test_what_the_database_will_never_take_holds_nobody_else_up() -> None:
    disk, poison, call = Disk(), Told("call_poison"), Told()
    disk.refused = {poison.id}
    async with journal_on(disk) as journal:
        put(journal, call, [wire(started(1))])
        put(journal, poison, [wire(started(1))])
        await until(lambda: journal.problem)
        await until(lambda: journal.problem is None)
        put(journal, call, [wire(partial(2))])
        await journal.flushed()
    assert call.shown == disk.numbers() == [1, 2]
    assert poison.shown == [1]


async def test_who_never_gets_room_is_not_kept_waiting_at_the_end() -> None:
    disk, call = Disk(), Told()
    async with journal_on(disk) as journal:
        disk.is_full = True
        put(journal, call, [wire(started(1))])
        await until(lambda: journal.problem)
    assert call.shown == [1]
    assert disk.numbers() == []


async def test_of_many_calls_that_end_on_a_full_disk_the_last_words_are_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streamtrace.store.holes.MOST_WHOLE", 2)
    monkeypatch.setattr("streamtrace.store.holes.MOST_ENDED", 4)
    disk = Disk()
    disk.is_full = True
    story = [started(1), partial(2), partial(3), final(4), ended(5)]
    async with journal_on(disk) as journal:
        for number in range(6):
            last = row(f"call_{number}", ENDED)
            put(journal, Told(last.id), [wire(event) for event in story], last)
            if not number:
                await until(lambda: journal.problem)
        disk.is_full = False
        await until(lambda: journal.problem is None)
    kept = {call_id: list(events) for call_id, events in disk.events.items()}
    assert kept == {
        "call_2": [3, 4, 5],  # a gap up to 3, the final, the end
        "call_3": [3, 4, 5],
        "call_4": [1, 2, 3, 4, 5],
        "call_5": [1, 2, 3, 4, 5],
    }
    assert disk.events["call_2"][3].type == "stream.gap.v1"
