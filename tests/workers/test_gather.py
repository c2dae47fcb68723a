"""Gathering changes how audio is cut, and nothing else: no step is later for it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from streamtrace.ports import LegAudio, LegDtmf, SourceEnded, SourceItem
from streamtrace.values import STEP_SAMPLES, AudioChunk, EndReason, GapCause, Leg
from streamtrace.workers.gather import Gatherer
from tests.builders import tone

cuts = st.tuples(
    st.sampled_from(Leg), st.integers(1, 900), st.sampled_from([0, 0, 0, 5_000]), st.booleans()
)


@pytest.mark.laws
@given(st.lists(cuts, max_size=60))
def test_the_story_stays_the_same(moves: list[tuple[Leg, int, int, bool]]) -> None:
    gatherer = Gatherer()
    given_items: list[SourceItem] = []
    got: list[SourceItem] = []
    ends = dict.fromkeys(Leg, 0)
    for number, (leg, samples, hole, key) in enumerate(moves):
        start = ends[leg] + hole
        ends[leg] = start + samples
        chunk = AudioChunk(start, tone(samples, seed=number))
        item = LegAudio(leg, chunk, float(number), GapCause.DROPPED if hole else GapCause.LOST)
        given_items.append(item)
        before = len(got)
        got += gatherer.feed(item)
        if start // STEP_SAMPLES != ends[leg] // STEP_SAMPLES:
            last = got[-1]  # this completes a step, so it has gone
            assert len(got) > before
            assert isinstance(last, LegAudio)
            assert (last.leg, last.chunk.end_sample) == (leg, ends[leg])
            assert last.received_at_s == number
        if key:
            given_items.append(LegDtmf(leg, "1"))
            got += gatherer.feed(LegDtmf(leg, "1"))
            assert gatherer.release() == []
    end = SourceEnded(EndReason.HUNG_UP)
    got += gatherer.feed(end)
    assert got[-1] is end
    for leg in Leg:
        assert samples_of(got, leg) == samples_of(given_items, leg)
        assert holes_of(got, leg) == holes_of(given_items, leg)


def samples_of(items: list[SourceItem], leg: Leg) -> list[float]:
    parts = [i.chunk.pcm for i in items if isinstance(i, LegAudio) and i.leg is leg]
    return np.concatenate([*parts, np.zeros(0)]).tolist()


def holes_of(items: list[SourceItem], leg: Leg) -> list[tuple[int, GapCause]]:
    holes: list[tuple[int, GapCause]] = []
    end = 0
    for item in items:
        if isinstance(item, LegAudio) and item.leg is leg:
            if item.chunk.start_sample != end:
                holes.append((item.chunk.start_sample, item.gap_cause))
            end = item.chunk.end_sample
    return holes


def test_twelve_frames_are_one_step() -> None:
    gatherer = Gatherer()
    frame = STEP_SAMPLES // 12
    got = [
        audio
        for number in range(24)
        for audio in gatherer.feed(
            LegAudio(Leg.CALLER, AudioChunk(number * frame, tone(frame)), float(number))
        )
    ]
    assert [(a.chunk.start_sample, a.received_at_s) for a in got if isinstance(a, LegAudio)] == [
        (0, 11.0),
        (STEP_SAMPLES, 23.0),
    ]
