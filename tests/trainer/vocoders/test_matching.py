"""A resynthesis differs from its original by the generator, not by level, band or silence."""

from __future__ import annotations

import numpy as np
import pytest

from tests.trainer.vocoders.voices import level_above_db, level_db, low_passed, voice
from trainer.codecs import can_encode
from trainer.vocoders.matching import CannotMatch, ceiling_hz, matched, through_mp3


@pytest.mark.parametrize("top_hz", [3400, 4000, 5500, 7000])
def test_the_ceiling_of_a_band_limited_recording_is_found(top_hz: float):
    pcm = low_passed(voice(), top_hz) + 1e-6 * np.random.default_rng(0).standard_normal(16_000)
    assert top_hz - 400 <= ceiling_hz(pcm.astype(np.float32)) <= top_hz + 200


def test_a_full_band_recording_has_no_ceiling():
    assert ceiling_hz(voice()) == 8000
    assert ceiling_hz(np.zeros(16_000, dtype=np.float32)) == 8000


def test_level_and_length_are_the_originals():
    original = voice()
    for made in (3 * voice(seed=1), 0.01 * voice(seed=1)[:-300], np.pad(voice(seed=1), (0, 80))):
        out = matched(made.astype(np.float32), original)
        assert out.shape == original.shape
        assert abs(level_db(out) - level_db(original)) < 0.5


def test_nothing_is_added_or_taken_above_the_ceiling():
    original = low_passed(voice(), 4000)
    original += 1e-5 * np.random.default_rng(0).standard_normal(original.size).astype(np.float32)
    noise = np.random.default_rng(1).standard_normal(original.size).astype(np.float32)
    for made in (voice(seed=1) + 0.1 * noise, low_passed(voice(seed=1), 3000)):
        out = matched(made.astype(np.float32), original)
        assert abs(level_above_db(out, 4300) - level_above_db(original, 4300)) < 1


def test_the_colour_of_a_line_is_kept():
    original, made = voice(), voice(seed=1)
    tilted = made - 0.9 * np.concatenate([[0], made[:-1]])
    plain, again = matched(made, original), matched(tilted.astype(np.float32), original)
    # A tilt of 25 dB over the band is undone, so that no vocoder is told by one.
    for hz in (1000, 2000, 4000):
        assert abs(level_above_db(again, hz) - level_above_db(plain, hz)) < 1
        assert abs(level_above_db(again, hz) - level_above_db(original, hz)) < 2


def test_hum_and_offset_are_the_recordings():
    hum = 0.02 + 0.01 * np.sin(2 * np.pi * 20 * np.arange(16_000) / 16_000)
    original = (voice() + hum).astype(np.float32)
    out = matched(voice(seed=1), original)
    assert abs(out.mean() - original.mean()) < 1e-4
    low = np.abs(np.fft.rfft(original))[20]
    assert abs(np.abs(np.fft.rfft(out))[20] / low - 1) < 0.01


def test_digital_silence_stays_digital_silence():
    original = voice()
    original[8000:9000] = 0
    original[100:110] = 0  # too short to be anything but chance
    made = matched(voice(seed=1), original)
    assert not made[8000:9000].any()
    assert made[100:110].any()


def test_peaks_are_turned_down_where_few_and_the_clip_refused_where_many():
    original = 2.5 * voice()
    spiky = voice(seed=1)
    spiky[4000:12000:4000] = 0.6
    out = matched(spiky, original)
    assert np.abs(out).max() <= 1
    assert abs(level_db(out) - level_db(original)) < 0.5
    clicks = np.zeros(16_000, dtype=np.float32)
    clicks[::1000] = 1
    with pytest.raises(CannotMatch, match="dB quieter"):
        matched(clicks, original)


def test_silence_and_what_is_no_number_are_refused():
    with pytest.raises(CannotMatch, match="silence"):
        matched(np.zeros(16_000, dtype=np.float32), voice())
    with pytest.raises(CannotMatch, match="not numbers"):
        matched(np.full(16_000, np.nan, dtype=np.float32), voice())


@pytest.mark.skipif(not can_encode("libmp3lame"), reason="FFmpeg without an MP3 encoder")
def test_coding_keeps_a_clip_in_step():
    pcm = voice()
    heard = through_mp3(pcm)
    assert heard.shape == pcm.shape
    assert np.corrcoef(heard, pcm)[0, 1] > 0.95
    assert np.abs(heard - pcm).max() > 1e-4
