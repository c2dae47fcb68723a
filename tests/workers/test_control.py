"""The line between the processes: bounded, and whatever is no message breaks it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from streamtrace.errors import CallRejected
from streamtrace.values import EndReason
from streamtrace.workers.control import (
    FROM_ENGINE,
    FROM_WORKER,
    MOST_LINE_BYTES,
    MOST_UNREAD_BYTES,
    Begun,
    CallWanted,
    Ended,
    Left,
    Link,
    LinkBroken,
    Message,
    Ready,
    Refused,
    Seated,
    SeatWanted,
)
from streamtrace.workers.line import ENGINE_GONE, EngineLine


@asynccontextmanager
async def line() -> AsyncIterator[tuple[asyncio.StreamWriter, Link[object]]]:
    """A plain far end, and the engine's."""
    near, far = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=near, limit=MOST_LINE_BYTES)
    _, outside = await asyncio.open_connection(sock=far)
    link: Link[object] = Link(reader, writer, FROM_WORKER)  # type: ignore[arg-type]
    try:
        yield outside, link
    finally:
        for end in (writer, outside):
            end.close()


async def test_messages_and_the_end() -> None:
    async with line() as (outside, link):
        wanted = CallWanted(channel=1, protocol="pcm", external_id="ü\n", line=None)
        for message in (Ready(), wanted):
            outside.write(message.model_dump_json().encode() + b"\n")
        outside.write(b'{"is_": "ready"')  # cut off amid a line
        outside.close()
        assert [await link.next_message() for _ in range(3)] == [Ready(), wanted, None]


@pytest.mark.parametrize(
    "sent", [b"{}\n", b"hello\n", b'{"is_": "stop"}\n', b"x" * 2 * MOST_LINE_BYTES]
)
async def test_what_is_no_message(sent: bytes) -> None:
    async with line() as (outside, link):
        outside.write(sent)
        with pytest.raises(LinkBroken):
            await link.next_message()


async def test_whoever_does_not_read_is_hung_up_on() -> None:
    async with line() as (outside, link):
        outside.transport.pause_reading()  # type: ignore[attr-defined]
        text = "x" * 60_000
        for _ in range(2 + MOST_UNREAD_BYTES // 30_000):
            link.tell(Refused(channel=1, text=text))
        assert await link.next_message() is None


def board() -> tuple[EngineLine, list[Message]]:
    said: list[Message] = []
    return EngineLine(said.append), said


async def test_a_conversation() -> None:
    line, said = board()
    first, second = line.open(), line.open()
    assert first.channel != second.channel
    asking = asyncio.create_task(first.ask(SeatWanted(channel=first.channel)))
    refused = asyncio.create_task(second.ask(SeatWanted(channel=second.channel)))
    await asyncio.sleep(0)
    line.hear(Refused(channel=second.channel, text="all 1 calls are taken"))
    line.hear(Seated(channel=first.channel))
    line.hear(Begun(channel=99, call_id="nobody's"))
    assert await asking == Seated(channel=first.channel)
    with pytest.raises(CallRejected, match="taken"):
        await refused
    line.hear(Ended(channel=first.channel, reason=EndReason.TOO_LONG))
    assert (await first.ended).reason is EndReason.TOO_LONG
    first.leave()
    first.leave()
    assert said[2:] == [Left(channel=first.channel)]


async def test_nobody_waits_for_an_engine_that_is_gone() -> None:
    line, _ = board()
    conversation, live = line.open(), line.open()
    asking = asyncio.create_task(conversation.ask(SeatWanted(channel=conversation.channel)))
    await asyncio.sleep(0)
    line.cut()
    with pytest.raises(CallRejected, match=ENGINE_GONE):
        await asking
    assert (await live.ended).reason is EndReason.SOURCE_LOST
    with pytest.raises(CallRejected):
        line.open()


def test_both_sides_know_all_messages() -> None:
    for message in (Seated(channel=1), Ended(channel=1, reason=EndReason.HUNG_UP)):
        assert FROM_ENGINE.validate_json(message.model_dump_json()) == message
