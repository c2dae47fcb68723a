"""WebRTC as a source: two real peers over loopback, each codec, each way to end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise

import numpy as np
import pytest

from streamtrace.audio.rtp import MOST_SOURCES
from streamtrace.clients.damage import LineDamage
from streamtrace.clients.lossy_sender import repeat_frames
from streamtrace.demo.callers import synthetic_callers
from streamtrace.engine import SystemClock
from streamtrace.ice_hosts import LOOPBACK_HOSTS
from streamtrace.ports import LegAudio, LegOpened, SourceEnded, SourceItem
from streamtrace.sources.offer import read_offer
from streamtrace.sources.ring import AudioRing
from streamtrace.sources.webrtc import WebRtcSettings, WebRtcSource
from streamtrace.values import SAMPLE_RATE_HZ, AudioChunk, EndReason, Float32s, Leg
from tests.callers import Caller, caller

SETTINGS = WebRtcSettings(hosts=LOOPBACK_HOSTS, loopback_only=True, idle_s=0.4)
FASTER = 8.0


def tone(seconds: float, hz: float = 440.0) -> Float32s:
    time = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    return (0.5 * np.sin(2 * np.pi * hz * time)).astype(np.float32)


@asynccontextmanager
async def answered(
    calling: Caller, settings: WebRtcSettings = SETTINGS
) -> AsyncIterator[WebRtcSource]:
    """A source that has answered; its threads and tasks are gone in the end."""
    source = WebRtcSource(
        read_offer(await calling.offer(), loopback_only=True), settings, SystemClock(), AudioRing()
    )
    try:
        await calling.accept(await source.answer())
        yield source
    finally:
        await source.close()
        assert not [t for t in threading.enumerate() if t.name == "audio-decoder"]


async def items(source: WebRtcSource) -> list[SourceItem]:
    async with asyncio.timeout(10):
        return [item async for item in source]


def chunks(taken: list[SourceItem]) -> list[AudioChunk]:
    return [item.chunk for item in taken if isinstance(item, LegAudio)]


def loudest_hz(pcm: Float32s) -> float:
    spectrum = np.abs(np.fft.rfft(pcm * np.hanning(len(pcm))))
    return float(spectrum.argmax() * SAMPLE_RATE_HZ / len(pcm))


@pytest.mark.parametrize(
    ("codec", "rate_hz"), [("opus", 48_000), ("PCMU", 8_000), ("PCMA", 8_000), ("G722", 16_000)]
)
async def test_each_codec_arrives_whole_and_in_place(codec: str, rate_hz: int):
    async with caller(tone(2), codec, speed=FASTER) as calling, answered(calling) as source:
        taken = await items(source)
    assert taken[0] == LegOpened(Leg.CALLER, codec, rate_hz)
    assert taken[-1] == SourceEnded(EndReason.IDLE_TIMEOUT)
    audio = chunks(taken)
    assert audio[0].start_sample == 0
    for chunk, following in pairwise(audio):
        assert following.start_sample == chunk.end_sample
    heard = np.concatenate([chunk.pcm for chunk in audio])
    assert 2 * SAMPLE_RATE_HZ < len(heard) < 2.5 * SAMPLE_RATE_HZ
    assert loudest_hz(heard[8_000:24_000]) == pytest.approx(440, abs=2)
    assert 0.4 < np.abs(heard[8_000:24_000]).max() < 0.6


async def test_lost_packets_are_a_jump_of_positions():
    lossy = LineDamage(loss_percent=4, burst=1, seed=1)
    async with (
        caller(tone(6), "PCMU", speed=FASTER, damage=lossy) as calling,
        answered(calling) as source,
    ):
        audio = chunks(await items(source))
    jumps = [following.start_sample - chunk.end_sample for chunk, following in pairwise(audio)]
    assert min(jumps) == 0
    lost = [jump for jump in jumps if jump]
    assert lost
    assert all(jump % 320 == 0 for jump in lost)  # whole packets of 20 ms
    assert audio[-1].end_sample > 5.5 * SAMPLE_RATE_HZ  # the clock went on meanwhile


async def test_a_caller_that_repeats_its_frames_loses_less_than_the_line_does():
    line = LineDamage(loss_percent=8, burst=1, seed=3)
    voice = synthetic_callers()[0].pcm[: 6 * SAMPLE_RATE_HZ]
    async with caller(voice, "opus", speed=4, damage=line) as calling, answered(calling) as source:
        repeat_frames(calling.peer.getSenders()[0], loss_percent=8)
        audio = chunks(await items(source))
    missing = sum(after.start_sample - before.end_sample for before, after in pairwise(audio))
    lost = sum(one is None for one, _ in zip(line.delays(), range(300), strict=False))
    assert 0 < missing < lost * 320 / 2


async def test_jitter_and_reordering_cost_nothing():
    rough = LineDamage(jitter_ms=4, reorder_percent=20, seed=2)
    async with caller(tone(2), "PCMU", damage=rough) as calling, answered(calling) as source:
        audio = chunks(await items(source))
    for chunk, following in pairwise(audio):
        assert following.start_sample == chunk.end_sample


async def test_a_caller_with_too_many_sources_is_given_up():
    patient = WebRtcSettings(hosts=LOOPBACK_HOSTS, loopback_only=True)
    async with caller(tone(30), "PCMU") as calling, answered(calling, patient) as source:
        stream = aiter(source)
        while not isinstance(await anext(stream), LegAudio):
            pass
        sender = calling.peer.getSenders()[0]
        for ssrc in range(MOST_SOURCES + 1):
            sender._ssrc = ssrc
            await asyncio.sleep(0.03)
        last = [item async for item in stream][-1]
    assert last == SourceEnded(EndReason.PROTOCOL_ERROR)


async def test_the_answer_is_passive_receives_only_and_stays_on_loopback():
    async with caller(tone(1), "opus") as calling, answered(calling):
        answer = calling.peer.remoteDescription.sdp
    assert "a=setup:passive" in answer
    assert "a=recvonly" in answer
    hosts = {line.split()[4] for line in answer.splitlines() if line.startswith("a=candidate")}
    assert hosts == {"127.0.0.1"}


async def test_hanging_up():
    async with caller(tone(30), "PCMU") as calling, answered(calling) as source:
        stream = aiter(source)
        while not isinstance(await anext(stream), LegAudio):
            pass
        source.hang_up()
        last = [item async for item in stream][-1]
    assert last == SourceEnded(EndReason.HUNG_UP)


async def test_a_goodbye_just_behind_the_end_of_the_media_is_one():
    async with caller(tone(30), "PCMU") as calling, answered(calling) as source:
        stream = aiter(source)
        while not isinstance(await anext(stream), LegAudio):
            pass
        await calling.peer.close()
        await asyncio.sleep(0.02)
        source.hang_up()
        last = [item async for item in stream][-1]
    assert last == SourceEnded(EndReason.HUNG_UP)


async def test_hanging_up_before_anything_came():
    async with caller(tone(1), "PCMU") as calling, answered(calling) as source:
        source.hang_up()
        assert (await items(source))[-1] == SourceEnded(EndReason.HUNG_UP)


async def test_a_caller_that_closes_without_goodbye():
    async with caller(tone(30), "opus") as calling, answered(calling) as source:
        stream = aiter(source)
        while not isinstance(await anext(stream), LegAudio):
            pass
        await calling.peer.close()
        last = [item async for item in stream][-1]
    assert last == SourceEnded(EndReason.SOURCE_LOST)


async def test_a_caller_that_never_connects():
    absent = Caller(tone(1), "opus")
    offer = read_offer(await absent.offer(), loopback_only=True)
    await absent.peer.close()
    impatient = WebRtcSettings(hosts=LOOPBACK_HOSTS, loopback_only=True, connect_s=0.2)
    source = WebRtcSource(offer, impatient, SystemClock(), AudioRing())
    await source.answer()
    taken = await items(source)
    await source.close()
    await source.close()
    assert taken == [
        LegOpened(Leg.CALLER, "opus", 48_000),
        SourceEnded(EndReason.START_TIMEOUT),
    ]


async def test_a_caller_that_connects_but_never_speaks():
    impatient = WebRtcSettings(hosts=LOOPBACK_HOSTS, loopback_only=True, start_s=0.2)
    async with caller(tone(1), "opus") as calling, answered(calling, impatient) as source:
        calling.silence()
        taken = await items(source)
    assert taken[-1] == SourceEnded(EndReason.START_TIMEOUT)


async def test_closing_early_ends_the_iteration_and_leaves_no_task():
    before = asyncio.all_tasks()
    async with caller(tone(30), "G722") as calling, answered(calling) as source:
        taken = asyncio.create_task(items(source))
        await asyncio.sleep(0.3)
        await source.close()
        assert isinstance((await taken)[-1], SourceEnded)
    assert asyncio.all_tasks() == before
