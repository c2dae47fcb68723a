"""Crops: where a clip begins in a call and how much of it is heard."""

from __future__ import annotations

import numpy as np
import pytest

from streamtrace.values import SAMPLE_RATE_HZ, STEP_SAMPLES
from trainer.cutting import Cutting


def cuts(cutting: Cutting, available: int, crop: int, count: int = 400):
    rng = np.random.default_rng(5)
    return [cutting.cut(rng, available, crop) for _ in range(count)]


@pytest.mark.parametrize("available", [5_000, 30_000, 96_000, 400_000])
def test_a_cut_lies_in_the_clip_and_in_the_crop(available: int):
    cutting = Cutting(96_000, shortened=0.5, delayed=0.5, shortest_samples=8_000)
    for cut in cuts(cutting, available, 96_000):
        assert cut.start >= 0
        assert cut.start + cut.length <= available
        assert cut.lead >= 0
        assert cut.lead + cut.length <= 96_000
        assert cut.length >= min(available, 8_000) - 160
        assert cut.lead % 160 == cut.start % 160 == cut.length % 160 == 0


def test_lengths_from_half_a_second_to_the_crop_are_as_likely():
    cutting = Cutting(96_000, shortened=1.0, delayed=0.0, shortest_samples=8_000)
    lengths = np.array([cut.length for cut in cuts(cutting, 400_000, 96_000, 4_000)])
    shares = np.histogram(lengths, bins=11, range=(8_000, 96_000))[0] / 4_000
    np.testing.assert_allclose(shares, 1 / 11, atol=0.02)


def test_a_late_call_begins_as_late_as_it_is_told():
    never = cuts(Cutting(96_000, delayed=0.0), 400_000, 96_000)
    assert {cut.lead for cut in never} == {0}
    at = Cutting(96_000, shortened=0.0, delayed=1.0, latest_samples=32_000)
    late = cuts(at, 400_000, 96_000)
    assert 24_000 < max(cut.lead for cut in late) <= 32_000
    assert 0.5 < np.mean([cut.lead for cut in late]) / SAMPLE_RATE_HZ < 1.5


def test_a_varied_crop_is_whole_steps_from_the_shortest_up():
    cutting = Cutting(4 * STEP_SAMPLES, shortest_samples=STEP_SAMPLES + 1, varied=True)
    rng = np.random.default_rng(0)
    crops = {cutting.crop(rng) for _ in range(100)}
    assert crops == {2 * STEP_SAMPLES, 3 * STEP_SAMPLES, 4 * STEP_SAMPLES}
    assert Cutting(4 * STEP_SAMPLES).crop(rng) == 4 * STEP_SAMPLES
