"""A worker played by hand: whatever it does or leaves undone, the engine's side comes to an end."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from streamtrace.engine import Engine
from streamtrace.errors import CallRejected
from streamtrace.ports import CallBound, LegAudio, LegOpened, SourceEnded
from streamtrace.server.state import ServerState
from streamtrace.settings import Settings
from streamtrace.values import AudioChunk, EndReason, Leg
from streamtrace.workers.channels import WorkerChannels
from streamtrace.workers.control import (
    FROM_ENGINE,
    FROM_WORKER,
    Begun,
    CallWanted,
    Ended,
    Left,
    Link,
    Message,
    Ready,
    Refused,
    Seated,
    SeatWanted,
)
from streamtrace.workers.pipes import lay_pipes
from streamtrace.workers.records import RingItem
from streamtrace.workers.ring import map_memory
from streamtrace.workers.sender import RingSender
from tests.builders import tone

WANTED = CallWanted(channel=1, protocol="pcm", external_id="H", line="front")


class PlayedWorker:
    """The other process's ends, in this one."""

    def __init__(self, link: Link[Message], bell: socket.socket, sender: RingSender) -> None:
        self.link = link
        self.bell = bell
        self.sender = sender

    async def ask(self, message: Message) -> Message | None:
        self.link.tell(message)
        return await self.link.next_message()

    async def say(self, *items: RingItem) -> None:
        for item in items:
            await self.sender.put(1, item)


@asynccontextmanager
async def played(state: ServerState) -> AsyncIterator[PlayedWorker]:
    ours, theirs = lay_pipes()
    reader, writer = await asyncio.open_unix_connection(sock=ours.line)
    channels = WorkerChannels(state, Link(reader, writer, FROM_WORKER), ours, on_ready=lambda: None)
    serving = asyncio.create_task(channels.serve())
    their_reader, their_writer = await asyncio.open_unix_connection(
        sock=socket.socket(fileno=theirs.line)
    )
    link: Link[Message] = Link(their_reader, their_writer, FROM_ENGINE)  # type: ignore[arg-type]
    bell = socket.socket(fileno=theirs.bell)
    sender = RingSender(map_memory(theirs.memory), bell, on_lost=link.close)
    sender.open()
    try:
        link.tell(Ready())
        yield PlayedWorker(link, bell, sender)
    finally:
        link.close()
        sender.close()
        await serving


@asynccontextmanager
async def a_state() -> AsyncIterator[ServerState]:
    settings = Settings(max_calls=1, slots=2, workers=1)
    async with Engine(slots=2, workers=1) as engine, ServerState(settings, engine) as state:
        yield state


def audio(number: int) -> LegAudio:
    return LegAudio(Leg.CALLER, AudioChunk(number * 3_840, tone(3_840)), 0.0)


async def ended(state: ServerState) -> EndReason | None:
    """Why the one call ended, as soon as it has."""
    [live] = state.registry.newest_first()
    with live.channel.reader() as reader:
        async with asyncio.timeout(10):
            while not reader.ended:
                await reader.next_events(10)
    return live.reason


async def test_a_whole_call() -> None:
    async with a_state() as state, played(state) as worker:
        assert await worker.ask(SeatWanted(channel=1)) == Seated(channel=1)
        refused = await worker.ask(SeatWanted(channel=2))
        assert isinstance(refused, Refused)
        assert "taken" in refused.text
        begun = await worker.ask(WANTED)
        assert isinstance(begun, Begun)
        opened = LegOpened(Leg.CALLER, "L16", 16_000)
        await worker.say(CallBound("H-2"), opened, audio(0), audio(1))
        await worker.say(SourceEnded(EndReason.HUNG_UP), audio(2))
        told = await worker.link.next_message()
        assert told == Ended(channel=1, reason=EndReason.HUNG_UP)
        [live] = state.registry.newest_first()
        assert (live.id, live.external_id, live.line) == (begun.call_id, "H-2", "front")
        assert live.legs[Leg.CALLER].decision is not None
        assert live.legs[Leg.CALLER].decision.duration_ms == 480
        worker.link.tell(Left(channel=1))
        assert await worker.ask(SeatWanted(channel=2)) == Seated(channel=2)


async def test_a_seat_is_given_back_by_a_worker_that_leaves_or_dies() -> None:
    async with a_state() as state:
        async with played(state) as worker:
            assert await worker.ask(SeatWanted(channel=1)) == Seated(channel=1)
            with pytest.raises(CallRejected):
                state.check_room()
            worker.link.tell(Left(channel=1))
            assert await worker.ask(SeatWanted(channel=2)) == Seated(channel=2)
        for _ in range(10):  # its task sees that it is gone
            await asyncio.sleep(0)
        state.check_room()


@pytest.mark.parametrize("how", ["torn", "dies", "leaves", "knocks twice", "rings nonsense"])
async def test_a_call_whose_worker_fails_has_its_end(how: str) -> None:
    async with a_state() as state, played(state) as worker:
        await worker.ask(SeatWanted(channel=1))
        await worker.ask(WANTED)
        await worker.say(LegOpened(Leg.CALLER, "L16", 16_000), audio(0), audio(1))
        [live] = state.registry.newest_first()
        with live.channel.reader() as reader:
            while Leg.CALLER not in live.legs or live.legs[Leg.CALLER].decision is None:
                assert await reader.next_events(10)
        match how:
            case "torn":
                worker.bell.send((1 << 60).to_bytes(8, "little"))
            case "dies":
                worker.link.close()
            case "leaves":
                worker.link.tell(Left(channel=1))
            case "knocks twice":
                worker.link.tell(SeatWanted(channel=1))
            case _:
                worker.bell.send(b"ding")
        assert await ended(state) is EndReason.SOURCE_LOST
        assert live.legs[Leg.CALLER].decision.is_final
