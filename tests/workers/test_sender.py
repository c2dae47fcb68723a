"""A ring and its bells: written here, read there, and nothing grows when nobody reads."""

from __future__ import annotations

import asyncio
import os
import socket

import numpy as np

from streamtrace.ports import LegAudio, SourceEnded
from streamtrace.values import AudioChunk, EndReason, Leg
from streamtrace.workers.bell import Bell
from streamtrace.workers.pipes import lay_pipes
from streamtrace.workers.records import read_item
from streamtrace.workers.ring import RingReader, create_memory, map_memory
from streamtrace.workers.sender import MOST_SAMPLES, RingSender
from tests.builders import tone

ENDED = SourceEnded(EndReason.HUNG_UP)


def audio(start: int, samples: int) -> LegAudio:
    return LegAudio(Leg.CALLER, AudioChunk(start, tone(samples, seed=start)), 0.0)


async def test_a_full_ring_holds_its_writers_up_until_it_is_read() -> None:
    memory = create_memory(16_384)
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    lost = asyncio.Event()
    sender = RingSender(map_memory(os.dup(memory)), near, on_lost=lost.set)
    reader = RingReader(map_memory(memory))
    heads: list[int] = []
    heard = asyncio.Event()

    def hear(head: int) -> None:
        heads.append(head)
        heard.set()

    bell = Bell(far, on_position=hear, on_lost=lost.set)
    sender.open()
    bell.open()

    async def call(channel: int) -> None:
        for number in range(20):
            await sender.put(channel, audio(number, 320))
        await sender.put(channel, ENDED)

    calls = [asyncio.create_task(call(channel)) for channel in (1, 2)]
    await heard.wait()
    await asyncio.sleep(0.02)
    assert not any(call.done() for call in calls)
    assert heads[-1] <= 16_384
    seen: dict[int, list[object]] = {1: [], 2: []}
    while True:
        heard.clear()
        for record in reader.read(heads[-1]):
            item = read_item(record)
            seen[record.channel].append(
                item.chunk.start_sample if isinstance(item, LegAudio) else item
            )
        bell.ring(reader.tail)
        if all(said and said[-1] == ENDED for said in seen.values()):
            break
        await heard.wait()
    await asyncio.gather(*calls)
    assert seen == {channel: [*range(20), ENDED] for channel in (1, 2)}
    bell.close()
    await lost.wait()
    sender.close()


async def test_long_audio_goes_in_parts() -> None:
    ours, theirs = lay_pipes()
    heard: asyncio.Queue[int] = asyncio.Queue(1)
    bell = Bell(ours.bell, on_position=heard.put_nowait, on_lost=lambda: None)
    bell.open()
    sender = RingSender(
        map_memory(theirs.memory), socket.socket(fileno=theirs.bell), on_lost=lambda: None
    )
    sender.open()
    long = audio(5, 2 * MOST_SAMPLES + 1)
    await sender.put(1, long)
    reader = RingReader(ours.memory)
    parts: list[LegAudio] = []
    while sum(len(part.chunk.pcm) for part in parts) < len(long.chunk.pcm):
        for record in reader.read(await heard.get()):
            part = read_item(record)
            assert isinstance(part, LegAudio)
            parts.append(part)
    assert [part.chunk.start_sample for part in parts] == [
        5,
        5 + MOST_SAMPLES,
        5 + 2 * MOST_SAMPLES,
    ]
    assert np.array_equal(np.concatenate([part.chunk.pcm for part in parts]), long.chunk.pcm)
    sender.close()
    bell.close()
    ours.line.close()
    os.close(theirs.line)
