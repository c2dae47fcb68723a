"""A leg's audio keeps its place on the way to 16 kHz."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from streamtrace.audio.position import LegInput
from streamtrace.values import AudioChunk, Float32s
from tests import builders


def stretches(chunks: list[AudioChunk]) -> list[tuple[int, Float32s]]:
    """Adjoining chunks joined."""
    joined: list[tuple[int, Float32s]] = []
    for chunk in chunks:
        if joined and joined[-1][0] + len(joined[-1][1]) == chunk.start_sample:
            start, pcm = joined.pop()
            joined.append((start, np.concatenate([pcm, chunk.pcm])))
        else:
            joined.append((chunk.start_sample, chunk.pcm))
    return joined


def taken(rate_hz: int, pieces: list[tuple[int, Float32s]]) -> list[tuple[int, Float32s]]:
    leg = LegInput(rate_hz)
    chunks = [chunk for start, pcm in pieces for chunk in leg.feed(start, pcm)]
    return stretches(chunks + leg.flush())


def cut_up(start: int, pcm: Float32s, cut: int, again: int) -> list[tuple[int, Float32s]]:
    """Chunks, each with `again` samples of the one before."""
    begins = [max(0, at - again) for at in range(0, len(pcm), cut)]
    return [
        (start + b, pcm[b : at + cut])
        for b, at in zip(begins, range(0, len(pcm), cut), strict=True)
    ]


@pytest.mark.laws
@settings(max_examples=40, deadline=None)
@given(
    rate_hz=st.sampled_from([8000, 16000, 22050, 48000]),
    first=st.integers(0, 5000),
    gap=st.integers(1, 4000),
    cut=st.integers(1, 700),
    again=st.integers(0, 90),
)
def test_neither_chunking_nor_repeats_matter(
    rate_hz: int, first: int, gap: int, cut: int, again: int
) -> None:
    one, two = builders.tone(1500, seed=1), builders.tone(900, seed=2)
    second = first + len(one) + gap
    whole = taken(rate_hz, [(first, one), (second, two)])
    pieces = cut_up(first, one, cut, again) + cut_up(second, two, cut, again)
    again_whole = taken(rate_hz, pieces)
    assert [start for start, _ in again_whole] == [start for start, _ in whole]
    for (_, got), (_, want) in zip(again_whole, whole, strict=True):
        assert np.allclose(got, want, atol=1e-6)


def test_a_gap_keeps_both_sides_apart_and_in_place() -> None:
    loud = np.full(800, 0.5, np.float32)
    (start_1, pcm_1), (start_2, pcm_2) = taken(8000, [(0, loud), (1600, -loud)])
    assert (start_1, len(pcm_1), start_2, len(pcm_2)) == (0, 1600, 3200, 1600)
    # Each side is what it would be alone: nothing of one rings in the other.
    assert np.array_equal(pcm_2, taken(8000, [(1600, -loud)])[0][1])


@pytest.mark.parametrize(
    ("rate_hz", "native", "at_16k"),
    [(8000, 81, 162), (48000, 100, 33), (44100, 44100 * 14400, 16000 * 14400), (22050, 1, 1)],
)
def test_positions_are_rounded_not_added_up(rate_hz: int, native: int, at_16k: int) -> None:
    (start, _), *_ = taken(rate_hz, [(native, builders.tone(2000))])
    assert start == at_16k


def test_old_audio_and_no_audio_change_nothing() -> None:
    leg = LegInput(16000)
    assert len(leg.feed(0, builders.tone(100))) == 1
    assert leg.feed(20, builders.tone(80)) == []
    assert leg.feed(5000, builders.tone(0)) == []
    (chunk,) = leg.feed(60, builders.tone(50))
    assert (chunk.start_sample, len(chunk.pcm)) == (100, 10)


def test_audio_may_follow_a_flush_but_not_go_back() -> None:
    leg = LegInput(16000)
    assert leg.flush() == []
    leg.feed(0, builders.tone(100))
    assert leg.flush() == []
    (chunk,) = leg.feed(50, builders.tone(100))
    assert (chunk.start_sample, len(chunk.pcm)) == (100, 50)
