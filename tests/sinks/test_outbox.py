"""What a far side is owed: in order, bounded, and never waited for by whoever owes it."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest

from streamtrace.errors import ProtocolViolation
from streamtrace.sinks.channel import SlowReader
from streamtrace.sinks.outbox import MOST_OWED, Outbox


class Reader:
    """A far side that reads where `reads` is set."""

    def __init__(self) -> None:
        self.got: list[str] = []
        self.reads = asyncio.Event()

    async def receive(self) -> MutableMapping[str, Any]:
        raise AssertionError("an outbox reads nothing")

    async def send_text(self, data: str) -> None:
        await self.reads.wait()
        self.got.append(data)

    async def close(self, code: int = 1000, reason: str | None = None) -> None:
        raise AssertionError("an outbox leaves the socket to its owner")


async def test_all_is_sent_in_order_and_then_it_ends() -> None:
    reader = Reader()
    outbox = Outbox(reader, send_timeout_s=5)
    sending = asyncio.create_task(outbox.run())
    outbox.say("one")
    await outbox.put("two")
    outbox.say("three")
    reader.reads.set()
    await outbox.close()
    await sending
    assert reader.got == ["one", "two", "three"]
    outbox.say("four")
    assert reader.got == ["one", "two", "three"]


async def test_who_reads_nothing_is_at_fault_before_much_is_held() -> None:
    outbox = Outbox(Reader(), send_timeout_s=5)
    for number in range(MOST_OWED):
        outbox.say(str(number))
    with pytest.raises(ProtocolViolation) as violated:
        outbox.say("one too many")
    assert violated.value.close_code == 1013


async def test_what_waits_for_room_need_not_once_nobody_reads() -> None:
    outbox = Outbox(Reader(), send_timeout_s=0.01)
    for number in range(MOST_OWED):
        outbox.say(str(number))
    waiting = asyncio.create_task(outbox.put("late"))
    with pytest.raises(SlowReader):
        await outbox.run()
    await asyncio.wait_for(waiting, 5)
    await asyncio.wait_for(outbox.close(), 5)


async def test_who_numbers_what_it_says_does_so_where_there_is_room() -> None:
    reader = Reader()
    outbox = Outbox(reader, send_timeout_s=5)
    for number in range(MOST_OWED):
        outbox.say(str(number))
    waiting = asyncio.create_task(outbox.room())
    await asyncio.sleep(0)
    assert not waiting.done()
    sending = asyncio.create_task(outbox.run())
    await waiting
    outbox.say("late")  # does not raise
    reader.reads.set()
    await outbox.close()
    await sending
    assert reader.got[-1] == "late"
