"""The microphone's blocks arrive in order, and a backlog drops the oldest."""

from __future__ import annotations

from contextlib import aclosing

import numpy as np

from streamtrace.ports import LegAudio, LegOpened
from streamtrace.sources.mic import MicSource
from streamtrace.values import GapCause, Leg
from tests.audio_files import speech_like
from tests.fake_microphone import BLOCK_SAMPLES, FakeMicrophone


async def _take(microphone: FakeMicrophone, blocks: int) -> list[LegAudio]:
    async with aclosing(MicSource(None, open_device=microphone).__aiter__()) as items:
        assert await anext(items) == LegOpened(Leg.CALLER, "pcm", 16_000)
        taken = [await anext(items) for _ in range(blocks)]
    audio = [one for one in taken if isinstance(one, LegAudio)]
    assert audio == taken
    return audio


async def test_blocks_in_order() -> None:
    microphone = FakeMicrophone(speech_like(1.0))
    taken = await _take(microphone, 50)
    assert [one.chunk.start_sample for one in taken] == list(range(0, 16_000, BLOCK_SAMPLES))
    np.testing.assert_array_equal(np.concatenate([o.chunk.pcm for o in taken]), microphone.pcm)
    assert microphone.closed


async def test_the_oldest_gives_way() -> None:
    """The whole recording arrives before anybody listens; of it the newest is kept."""
    microphone = FakeMicrophone(speech_like(5.0))
    taken = await _take(microphone, 50)  # no more than two seconds wait, and at least one
    starts = [one.chunk.start_sample for one in taken]
    assert 3 * 16_000 <= starts[0] <= 4 * 16_000
    assert taken[0].gap_cause is GapCause.DROPPED
    assert starts == list(range(starts[0], starts[0] + 50 * BLOCK_SAMPLES, BLOCK_SAMPLES))
