"""The stepper's grid, its gaps, and which frames may be used."""

from __future__ import annotations

import numpy as np
import pytest

from streamtrace.audio.steps import LONGEST_FILLED, Gap, Stepper
from streamtrace.values import CONTEXT_SAMPLES, FRAME_SAMPLES, STEP_SAMPLES, Step
from tests import builders

ALL = [True] * 6


def stepped(*pieces: tuple[int, int]) -> tuple[list[Step], list[Gap]]:
    """Noise at each (start, samples), then the flush."""
    stepper, steps, gaps = Stepper(), [], []
    for start, samples in pieces:
        output = stepper.feed(builders.chunk(start, builders.tone(samples, seed=start)))
        steps += output.steps
        gaps += output.gaps
    return steps + stepper.flush().steps, gaps


def test_whole_audio_gives_whole_steps() -> None:
    steps, gaps = stepped((0, 3 * STEP_SAMPLES))
    assert [step.index for step in steps] == [0, 1, 2]
    assert [step.fresh for step in steps] == [True, False, False]
    assert [step.usable.tolist() for step in steps] == [ALL] * 3
    assert gaps == []


def test_a_step_begins_with_the_end_of_the_one_before() -> None:
    (one, two), _ = stepped((0, 2 * STEP_SAMPLES))
    assert not one.pcm[:CONTEXT_SAMPLES].any()
    assert np.array_equal(two.pcm[:CONTEXT_SAMPLES], one.pcm[-CONTEXT_SAMPLES:])
    sound = np.concatenate([one.pcm[CONTEXT_SAMPLES:], two.pcm[CONTEXT_SAMPLES:]])
    assert np.array_equal(sound, builders.tone(2 * STEP_SAMPLES, seed=0))


def test_the_last_step_is_padded_and_its_padding_unusable() -> None:
    (step,), _ = stepped((0, 2 * FRAME_SAMPLES + 1))
    assert step.usable.tolist() == [True, True, False, False, False, False]
    assert not step.pcm[CONTEXT_SAMPLES + 2 * FRAME_SAMPLES + 1 :].any()


@pytest.mark.parametrize("pieces", [(), ((0, 0),), ((7000, 0),)])
def test_no_audio_no_step(pieces: tuple[tuple[int, int], ...]) -> None:
    assert stepped(*pieces) == ([], [])


def test_nothing_is_left_to_flush_behind_a_whole_step() -> None:
    assert len(stepped((0, STEP_SAMPLES))[0]) == 1


def test_what_lies_before_the_first_sample_is_not_lost() -> None:
    steps, gaps = stepped((5 * STEP_SAMPLES + 1000, 2 * STEP_SAMPLES))
    assert gaps == []
    assert [step.index for step in steps] == [5, 6, 7]
    # Samples 0 to 999 of the step are not there; the fourth frame's context begins at 1200.
    assert steps[0].usable.tolist() == [False] * 3 + [True] * 3
    assert steps[0].fresh


def test_a_short_gap_is_filled_and_its_frames_are_unusable() -> None:
    lost = (STEP_SAMPLES + 650, STEP_SAMPLES + 700)
    steps, gaps = stepped((0, lost[0]), (lost[1], 2 * STEP_SAMPLES))
    assert gaps == [Gap(*lost)]
    assert [step.index for step in steps] == [0, 1, 2, 3]
    assert not any(step.fresh for step in steps[1:])
    # Lost is 650 to 700: in frame 1; frame 2's context begins at 560, frame 3's at 1200.
    assert steps[1].usable.tolist() == [True, False, False, True, True, True]
    start = CONTEXT_SAMPLES + 650
    assert not steps[1].pcm[start : start + 50].any()


def test_a_frame_whose_context_was_lost_is_unusable() -> None:
    steps, _ = stepped((0, STEP_SAMPLES - 10), (STEP_SAMPLES, STEP_SAMPLES))
    assert steps[0].usable.tolist() == [True] * 5 + [False]
    assert steps[1].usable.tolist() == [False] * 2 + [True] * 4


def test_the_longest_filled_gap_keeps_the_encoder_running() -> None:
    steps, _ = stepped((0, STEP_SAMPLES), (STEP_SAMPLES + LONGEST_FILLED, STEP_SAMPLES))
    assert [step.index for step in steps] == list(range(18))
    assert [step.fresh for step in steps] == [True] + [False] * 17
    assert not any(step.usable.any() for step in steps[1:17])


def test_behind_a_longer_gap_the_encoder_starts_anew() -> None:
    end = 2000 + LONGEST_FILLED + 1
    steps, gaps = stepped((0, 2000), (end, 2 * STEP_SAMPLES))
    assert gaps == [Gap(2000, end)]
    assert [step.index for step in steps] == [0, end // STEP_SAMPLES, end // STEP_SAMPLES + 1, 18]
    assert [step.fresh for step in steps] == [True, True, False, False]
    assert not steps[1].pcm[:CONTEXT_SAMPLES].any()


def test_the_context_behind_a_long_gap_is_lost_even_on_the_grid() -> None:
    end = 20 * STEP_SAMPLES
    steps, _ = stepped((0, STEP_SAMPLES), (end, STEP_SAMPLES))
    assert [step.index for step in steps] == [0, 20]
    assert steps[1].usable.tolist() == [False] * 2 + [True] * 4


@pytest.mark.parametrize(
    ("start", "end", "indices", "fresh"),
    [
        (1.5, 1.9, [0, 1, 2, 3], [True, False, False, False]),  # within a step
        (1.5, 2.9, [0, 1, 2, 3], [True, False, False, False]),  # no whole step in it
        (1.5, 3.5, [0, 1, 3], [True, False, True]),
        (2.0, 3.0, [0, 1, 3], [True, False, True]),
        (1.5, 9.0, [0, 1, 9], [True, False, True]),
    ],
)
def test_an_engine_that_is_behind_gets_no_steps_of_nothing(
    start: float, end: float, indices: list[int], fresh: list[bool]
) -> None:
    stepper = Stepper()
    first, second = round(start * STEP_SAMPLES), round(end * STEP_SAMPLES)
    last = STEP_SAMPLES * (indices[-1] + 1) - second
    steps = stepper.feed(builders.chunk(0, builders.tone(first))).steps
    output = stepper.feed(builders.chunk(second, builders.tone(last)), is_behind=True)
    steps += output.steps
    assert [step.index for step in steps] == indices
    assert [step.fresh for step in steps] == fresh
    assert output.gaps == [Gap(first, second)]  # told all the same


def test_audio_heard_twice_counts_once() -> None:
    stepper, pcm = Stepper(), builders.tone(STEP_SAMPLES)
    stepper.feed(builders.chunk(0, pcm[:1000]))
    stepper.feed(builders.chunk(200, pcm[200:700]))
    (step,) = stepper.feed(builders.chunk(500, pcm[500:])).steps
    assert np.array_equal(step.pcm[CONTEXT_SAMPLES:], pcm)
    assert stepper.position == STEP_SAMPLES


def test_silence_is_unusable() -> None:
    stepper = Stepper()
    (step,) = stepper.feed(builders.chunk(0, builders.tone(STEP_SAMPLES, level=1e-5))).steps
    assert not step.usable.any()


def test_what_is_no_number_is_silence() -> None:
    stepper, pcm = Stepper(), builders.tone(STEP_SAMPLES)
    pcm[100] = np.inf
    (step,) = stepper.feed(builders.chunk(0, pcm)).steps
    assert step.pcm[CONTEXT_SAMPLES + 100] == 0.0
    assert np.isfinite(step.pcm).all()


def test_a_step_is_not_changed_by_what_follows() -> None:
    stepper = Stepper()
    (step,) = stepper.feed(builders.chunk(0, builders.tone(STEP_SAMPLES))).steps
    before = step.pcm.copy(), step.usable.copy()
    stepper.feed(builders.chunk(STEP_SAMPLES + 9, builders.tone(3 * STEP_SAMPLES, seed=1)))
    assert np.array_equal(step.pcm, before[0])
    assert np.array_equal(step.usable, before[1])
