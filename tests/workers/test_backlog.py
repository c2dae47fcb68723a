"""The engine's side of the ring: everything in its order, bounded, oldest audio first to go."""

from __future__ import annotations

import pytest

from streamtrace.errors import ProtocolViolation, StreamTraceError
from streamtrace.ports import LegAudio, LegDtmf, LegOpened, SourceEnded, SourceItem
from streamtrace.values import AudioChunk, EndReason, GapCause, Leg
from streamtrace.workers.backlog import MOST_SAID, RemoteSource
from streamtrace.workers.records import SourceFailed
from tests.builders import tone

FRAME = 320
OPENED = LegOpened(Leg.CALLER, "PCMU", 8_000)
ENDED = SourceEnded(EndReason.HUNG_UP)


def audio(number: int, at_s: float) -> LegAudio:
    return LegAudio(Leg.CALLER, AudioChunk(number * FRAME, tone(FRAME)), at_s)


def told(item: SourceItem) -> object:
    return item.chunk.start_sample // FRAME if isinstance(item, LegAudio) else item


async def test_everything_comes_in_its_order_and_the_end_is_the_end() -> None:
    source = RemoteSource(most_age_s=2.0)
    key = LegDtmf(Leg.CALLER, "5")
    for item in (OPENED, audio(0, 1.0), key, audio(1, 1.02), ENDED, audio(2, 1.04)):
        source.put(item)
    source.lose()  # too late to matter
    assert [told(item) async for item in source] == [OPENED, 0, key, 1, ENDED]


async def test_old_audio_goes_and_what_was_said_stays_where_it_was() -> None:
    dropped: list[float] = []
    source = RemoteSource(most_age_s=0.1, on_drop=dropped.append)
    keys = [LegDtmf(Leg.CALLER, str(digit)) for digit in range(3)]
    source.put(OPENED)
    for number in range(10):
        source.put(audio(number, number * 0.02))
        if number in (1, 6):
            source.put(keys[number // 3])
    source.put(keys[1])
    source.put(ENDED)
    items = [item async for item in source]
    assert [told(item) for item in items] == [
        OPENED,
        keys[0],
        4,
        5,
        6,
        keys[2],
        7,
        8,
        9,
        keys[1],
        ENDED,
    ]
    causes = [item.gap_cause for item in items if isinstance(item, LegAudio)]
    assert causes == [GapCause.DROPPED] + [GapCause.LOST] * 5
    assert round(sum(dropped), 6) == 0.08


async def test_a_burst_is_bounded_by_its_length() -> None:
    source = RemoteSource(most_age_s=2.0, most_audio_s=0.1)
    for number in range(100):
        source.put(audio(number, 0.0))
    source.put(ENDED)
    assert [told(item) async for item in source] == [*range(95, 100), ENDED]


async def test_whoever_says_too_much_is_given_up() -> None:
    source = RemoteSource(most_age_s=2.0)
    for _ in range(MOST_SAID + 1):
        source.put(LegDtmf(Leg.CALLER, "1"))
    with pytest.raises(StreamTraceError, match="more than"):
        [item async for item in source]


async def test_a_violation_is_raised_behind_what_came_before_it() -> None:
    source = RemoteSource(most_age_s=2.0)
    source.put(audio(0, 0.0))
    source.put(SourceFailed("not base64", 1007))
    items = source.__aiter__()
    assert told(await anext(items)) == 0
    with pytest.raises(ProtocolViolation, match="base64"):
        await anext(items)


async def test_a_lost_sender_is_a_lost_source() -> None:
    source = RemoteSource(most_age_s=2.0)
    source.lose()
    assert [item async for item in source] == [SourceEnded(EndReason.SOURCE_LOST)]
