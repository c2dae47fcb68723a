"""Stepper laws: any cut of a leg's audio gives the steps that a look at the whole leg gives."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from streamtrace.audio.activity import loud_frames
from streamtrace.audio.steps import LONGEST_FILLED, Gap, Stepper
from streamtrace.values import (
    CONTEXT_SAMPLES,
    FRAME_SAMPLES,
    STEP_FRAMES,
    STEP_SAMPLES,
    AudioChunk,
    Float32s,
    Step,
)
from tests import builders

pytestmark = pytest.mark.laws

GAPS = st.one_of(
    st.integers(1, 2 * STEP_SAMPLES),
    st.sampled_from([1, STEP_SAMPLES, LONGEST_FILLED, LONGEST_FILLED + 1, 19 * STEP_SAMPLES]),
    st.integers(LONGEST_FILLED - 50, LONGEST_FILLED + 9000),
)
LENGTHS = st.one_of(
    st.integers(1, 3 * STEP_SAMPLES),
    st.sampled_from([1, CONTEXT_SAMPLES, FRAME_SAMPLES, STEP_SAMPLES, 2 * STEP_SAMPLES]),
)


@dataclass(frozen=True)
class Stretch:
    start: int
    pcm: Float32s

    @property
    def end(self) -> int:
        return self.start + len(self.pcm)


@st.composite
def legs(draw: st.DrawFn) -> list[Stretch]:
    """One to three stretches of audio with gaps between them."""
    stretches: list[Stretch] = []
    start = draw(st.sampled_from([0, 0, 0, 1, STEP_SAMPLES, 30_001]))
    for number in range(draw(st.integers(1, 3))):
        if number:
            start = stretches[-1].end + draw(GAPS)
        quiet = draw(st.booleans())
        pcm = builders.tone(draw(LENGTHS), seed=number, level=3e-5 if quiet and number else 0.1)
        stretches.append(Stretch(start, pcm))
    return stretches


def offline(leg: list[Stretch]) -> list[Step]:
    """The definition, on the whole leg at once."""
    total = -(-leg[-1].end // STEP_SAMPLES) * STEP_SAMPLES
    audio, real = np.zeros(total, np.float32), np.zeros(total, np.bool_)
    for stretch in leg:
        audio[stretch.start : stretch.end] = stretch.pcm
        real[stretch.start : stretch.end] = True
    between = [(a.end, b.start) for a, b in itertools.pairwise(leg)]
    long = [(a, b) for a, b in between if b - a > LONGEST_FILLED]
    first = leg[0].start // STEP_SAMPLES
    anew = {first} | {b // STEP_SAMPLES for _, b in long}
    steps: list[Step] = []
    for index in range(first, total // STEP_SAMPLES):
        start, end = index * STEP_SAMPLES, (index + 1) * STEP_SAMPLES
        if any(a <= start and end <= b for a, b in long):
            continue
        context, context_real = audio[max(0, start - CONTEXT_SAMPLES) : start], True
        if index in anew:
            context = np.zeros(CONTEXT_SAMPLES, np.float32)
        if index != first:
            context_real = real[start - CONTEXT_SAMPLES : start]
        heard = np.concatenate([np.ones(CONTEXT_SAMPLES, np.bool_) & context_real, real[start:end]])
        wanted = [
            heard[at : at + CONTEXT_SAMPLES + FRAME_SAMPLES].all()
            for at in range(0, STEP_SAMPLES, FRAME_SAMPLES)
        ]
        pcm = np.concatenate([context, audio[start:end]])
        usable = np.array(wanted) & loud_frames(audio[start:end])
        steps.append(Step(index, pcm, usable, fresh=index in anew))
    return steps


def cut(leg: list[Stretch], sizes: list[int], again: int) -> list[AudioChunk]:
    """Chunks of these sizes in turn; each repeats the last `again` samples before it."""
    chunks: list[AudioChunk] = []
    for stretch in leg:
        at = turn = 0
        while at < len(stretch.pcm):
            end = at + sizes[turn % len(sizes)]
            begin = max(0, at - again)
            chunks.append(AudioChunk(stretch.start + begin, stretch.pcm[begin:end]))
            at, turn = end, turn + 1
    return chunks


def streamed(chunks: list[AudioChunk]) -> tuple[list[Step], list[Gap]]:
    stepper = Stepper()
    outputs = [stepper.feed(chunk) for chunk in chunks]
    outputs.append(stepper.flush())
    return [s for o in outputs for s in o.steps], [g for o in outputs for g in o.gaps]


def assert_same(got: list[Step], want: list[Step]) -> None:
    assert [(s.index, s.fresh) for s in got] == [(s.index, s.fresh) for s in want]
    for one, other in zip(got, want, strict=True):
        assert np.array_equal(one.pcm, other.pcm)
        assert one.usable.tolist() == other.usable.tolist()
        assert one.usable.shape == (STEP_FRAMES,)


@settings(max_examples=120, deadline=None)
@given(legs(), st.lists(st.integers(1, 9000), min_size=1, max_size=4), st.integers(0, 500))
def test_any_cut_gives_the_steps_of_the_whole(
    leg: list[Stretch], sizes: list[int], again: int
) -> None:
    # tiny pieces of long stretches only cost time
    sizes = [max(size, 17) for size in sizes]
    steps, gaps = streamed(cut(leg, sizes, again))
    assert_same(steps, offline(leg))
    assert gaps == [Gap(a.end, b.start) for a, b in itertools.pairwise(leg)]


@settings(max_examples=40, deadline=None)
@given(legs())
def test_no_usable_frame_reaches_into_lost_audio(leg: list[Stretch]) -> None:
    steps, _ = streamed([AudioChunk(s.start, s.pcm) for s in leg])
    for step in steps:
        for frame in np.flatnonzero(step.usable).tolist():
            begin = step.index * STEP_SAMPLES + frame * FRAME_SAMPLES
            context = max(begin - CONTEXT_SAMPLES, leg[0].start)
            end = begin + FRAME_SAMPLES
            assert any(s.start <= context and end <= s.end for s in leg)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 1000), min_size=1, max_size=30))
def test_single_samples_and_one_piece_agree(sizes: list[int]) -> None:
    pcm = builders.tone(STEP_SAMPLES + 500)
    leg = [Stretch(0, pcm)]
    assert_same(streamed(cut(leg, sizes, 0))[0], streamed([AudioChunk(0, pcm)])[0])
