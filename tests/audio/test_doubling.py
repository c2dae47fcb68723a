"""8 kHz to 16 kHz: like the resampler that the model was trained through, and early."""

from __future__ import annotations

import numpy as np
import pytest
import soxr
from hypothesis import given, settings, strategies as st

from streamtrace.audio.doubling import Doubler
from streamtrace.values import Float32s
from tests import builders


def doubled(pcm: Float32s, cut: int) -> Float32s:
    doubler = Doubler()
    parts = [doubler.feed(pcm[at : at + cut]) for at in range(0, len(pcm), cut)]
    return np.concatenate([*parts, doubler.flush()])


@pytest.mark.laws
@settings(max_examples=40, deadline=None)
@given(length=st.integers(0, 1200), cut=st.integers(1, 500))
def test_chunking_does_not_matter_and_two_come_of_each(length: int, cut: int) -> None:
    pcm = builders.tone(length)
    got = doubled(pcm, cut)
    assert len(got) == 2 * length
    assert np.allclose(got, doubled(pcm, max(1, length)), atol=1e-6)


def level_db(pcm: Float32s, hz: float) -> float:
    """Of one frequency at 16 kHz."""
    turning = np.exp(-2j * np.pi * hz / 16_000 * np.arange(len(pcm)))
    window = np.hanning(len(pcm))
    return float(20 * np.log10(np.abs((pcm * window * turning).sum()) / window.sum() + 1e-12))


@pytest.mark.parametrize(
    ("hz", "image"),
    [(50, False), (1_000, False), (3_400, False), (3_640, False), (3_400, True), (500, True)],
)
def test_tones_pass_as_through_soxr_and_their_images_do_not(hz: float, image: bool) -> None:
    tone = np.cos(2 * np.pi * hz / 8_000 * np.arange(8_000)).astype(np.float32)
    at = 8_000 - hz if image else hz
    ours = level_db(doubled(tone, 160)[1000:-1000], at)
    theirs = level_db(soxr.resample(tone, 8_000, 16_000, quality="HQ")[1000:-1000], at)
    if image:
        assert max(ours, theirs) < -110
    else:
        assert abs(ours - theirs) < 0.01


def test_noise_comes_out_as_through_soxr_but_for_the_last_of_the_band() -> None:
    pcm = builders.tone(8_000)
    ours, theirs = doubled(pcm, 160), soxr.resample(pcm, 8_000, 16_000, quality="HQ")
    assert np.std((ours - theirs)[500:-500]) < 0.004 * np.std(theirs)


@pytest.mark.parametrize("outputs", [1, 127, 128, 129, 3_840])
def test_outputs_are_ready_just_when_it_says(outputs: int) -> None:
    needed = Doubler.inputs_for(outputs)
    pcm = builders.tone(needed)
    assert len(Doubler().feed(pcm)) >= outputs
    assert len(Doubler().feed(pcm[:-1])) < outputs


def test_a_step_is_ready_within_one_frame_of_20_ms_behind_it() -> None:
    assert 1_920 < Doubler.inputs_for(3_840) <= 1_920 + 160
