"""Opus keeps time, and conceals lost packets by itself."""

from __future__ import annotations

import numpy as np
import pytest

from tests.trainer.channel.voices import delay_samples, energy_above, likeness, vowels
from trainer.channel.opus import opus_call, packets_of
from trainer.channel.packets import can_encode

pytestmark = pytest.mark.skipif(not can_encode("libopus"), reason="this FFmpeg has no libopus")
VOICE = vowels(4, 1.2)


def test_opus_keeps_time_and_length():
    heard = opus_call(VOICE, 24_000)
    assert heard.shape == VOICE.shape
    assert abs(delay_samples(VOICE, heard)) <= 3
    np.testing.assert_array_equal(heard, opus_call(VOICE, 24_000))


def test_a_narrow_band_call_has_no_upper_band():
    hiss = 0.05 * np.random.default_rng(1).standard_normal(16_000).astype(np.float32)
    assert energy_above(opus_call(hiss, 24_000, rate_hz=8000), 4300) < 0.01


def test_lost_packets_are_concealed_not_muted():
    lost = np.zeros(packets_of(VOICE.size), dtype=np.bool_)
    lost[5::10] = True
    heard = opus_call(VOICE, 24_000, lost=lost)
    whole = opus_call(VOICE, 24_000)
    hole = slice(5 * 320 - 40, 6 * 320 - 140)  # what packet 5 holds, less the decoder's delay
    assert np.square(heard[hole]).mean() > 0.1 * np.square(whole[hole]).mean()
    assert 0.5 < likeness(whole, heard) < 0.999
    assert np.abs(heard).max() < 1.5 * np.abs(whole).max()


def test_a_call_that_loses_everything_is_silent():
    lost = np.ones(packets_of(VOICE.size), dtype=np.bool_)
    assert np.abs(opus_call(VOICE, 16_000, lost=lost)).max() < 0.01
