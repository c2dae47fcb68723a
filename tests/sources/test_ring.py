"""The ring between a receiver and the engine: bounded by age and by length, oldest first to go."""

from __future__ import annotations

import asyncio

from streamtrace.ports import LegAudio
from streamtrace.sources.ring import AudioRing
from streamtrace.values import AudioChunk, GapCause, Leg
from tests.builders import tone

FRAME = 320  # 20 ms


def frame(number: int) -> AudioChunk:
    return AudioChunk(number * FRAME, tone(FRAME))


async def rest(ring: AudioRing) -> list[LegAudio]:
    ring.close()
    return [audio async for audio in ring]


async def test_what_comes_in_comes_out_in_order_with_its_leg_and_time() -> None:
    ring = AudioRing()
    ring.put(frame(0), 5.0)
    ring.put(frame(0), 5.1, Leg.CALLEE)
    ring.put(frame(1), 5.2)
    got = [(a.leg, a.chunk.start_sample, a.received_at_s) for a in await rest(ring)]
    assert got == [(Leg.CALLER, 0, 5.0), (Leg.CALLEE, 0, 5.1), (Leg.CALLER, FRAME, 5.2)]
    assert ring.dropped_ms == 0


async def test_audio_that_waited_too_long_goes_and_its_place_stays_empty() -> None:
    dropped: list[float] = []
    ring = AudioRing(most_age_s=0.1, on_drop=dropped.append)
    for number in range(10):
        ring.put(frame(number), number * 0.02)
    starts = [audio.chunk.start_sample for audio in await rest(ring)]
    assert starts == [number * FRAME for number in range(4, 10)]
    assert ring.dropped_ms == 80
    assert round(sum(dropped), 6) == 0.08


async def test_once_something_must_go_all_goes_that_waited_half_as_long() -> None:
    ring = AudioRing(most_age_s=0.4)
    for number in range(22):  # the first is 0.42 s old when the last comes
        ring.put(frame(number), number * 0.02)
    assert ring.dropped_ms == 220
    starts = [audio.chunk.start_sample for audio in await rest(ring)]
    assert starts == [number * FRAME for number in range(11, 22)]


async def test_a_burst_is_bounded_by_its_length() -> None:
    ring = AudioRing(most_audio_s=0.1)
    for number in range(100):
        ring.put(frame(number), 0.0)
    starts = [audio.chunk.start_sample for audio in await rest(ring)]
    assert starts == [number * FRAME for number in range(95, 100)]


async def test_one_chunk_longer_than_the_ring_is_kept() -> None:
    ring = AudioRing(most_audio_s=0.01)
    ring.put(frame(0), 0.0)
    assert len(await rest(ring)) == 1


async def test_a_reader_waits_for_audio_and_for_the_end() -> None:
    ring = AudioRing()
    reading = asyncio.create_task(anext(aiter(ring)))
    await asyncio.sleep(0)
    assert not reading.done()
    ring.put(frame(3), 0.0)
    assert (await reading).chunk.start_sample == 3 * FRAME
    ending = asyncio.create_task(rest(ring))
    assert await ending == []


async def test_nothing_is_taken_behind_the_end() -> None:
    ring = AudioRing()
    ring.close()
    ring.put(frame(0), 0.0)
    assert await rest(ring) == []


async def test_the_first_audio_of_a_leg_behind_a_drop_says_why_its_place_is_empty() -> None:
    ring = AudioRing(most_age_s=0.1)
    ring.put(frame(0), 0.0)
    ring.put(frame(0), 0.2, Leg.CALLEE)
    ring.put(frame(1), 0.2)
    ring.put(frame(2), 0.2)
    causes = [(a.leg, a.chunk.start_sample // FRAME, a.gap_cause) for a in await rest(ring)]
    assert causes == [
        (Leg.CALLEE, 0, GapCause.LOST),
        (Leg.CALLER, 1, GapCause.DROPPED),
        (Leg.CALLER, 2, GapCause.LOST),
    ]


async def test_a_legs_newest_audio_stays_to_say_what_went_before_it() -> None:
    ring = AudioRing(most_age_s=0.1)
    ring.put(frame(0), 0.0, Leg.CALLEE)
    ring.put(frame(1), 0.02, Leg.CALLEE)  # and nothing more
    for number in range(20):
        ring.put(frame(number), number * 0.02, Leg.CALLER)
    heard = await rest(ring)
    callee = [audio for audio in heard if audio.leg is Leg.CALLEE]
    assert [(a.chunk.start_sample, a.gap_cause) for a in callee] == [(FRAME, GapCause.DROPPED)]
    assert next(a for a in heard if a.leg is Leg.CALLER).gap_cause is GapCause.DROPPED
