"""The channel sees no label, repeats by seed, and each of its parts does what it says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from streamtrace.errors import SettingsError
from tests.trainer.trees import voice_like
from trainer.augment import AugmentConfig, Augmenter, quiet
from trainer.channel.opus import opus_call
from trainer.codecs import ALAW, MULAW, alaw_call, can_encode, mulaw_call, quantised
from trainer.nonspeech import KINDS, Nonspeech
from trainer.speech import speech_frames, speech_ticks


def spectrum_above(pcm: np.ndarray, hz: float) -> float:
    power = np.abs(np.fft.rfft(pcm)) ** 2
    return float(power[np.fft.rfftfreq(pcm.size, 1 / 16_000) > hz].sum() / power.sum())


def test_the_same_seed_gives_the_same_audio_and_another_gives_another():
    augment = Augmenter(AugmentConfig())
    pcm = voice_like(1, 2.0)
    for seed in range(30):
        once = augment(pcm, np.random.default_rng(seed))
        np.testing.assert_array_equal(once, augment(pcm, np.random.default_rng(seed)))
        assert once.shape == pcm.shape
        assert once.dtype == np.float32
        assert np.isfinite(once).all()
        assert np.abs(once).max() <= 1
    assert not np.array_equal(once, augment(pcm, np.random.default_rng(99)))


def test_digital_silence_stays_finite():
    augment = Augmenter(AugmentConfig(), babble=lambda rng, size: np.zeros(size, np.float32))
    for seed in range(30):
        heard = augment(np.zeros(8000, np.float32), np.random.default_rng(seed))
        assert np.isfinite(heard).all()


def test_quiet_changes_nothing_but_the_offset():
    pcm = voice_like(2)
    heard = Augmenter(quiet())(pcm + np.float32(0.1), np.random.default_rng(0))
    np.testing.assert_allclose(heard, pcm - pcm.mean(), atol=1e-5)


@pytest.mark.parametrize("table", [MULAW, ALAW])
def test_companding_is_close_monotone_and_odd(table: np.ndarray):
    ramp = np.linspace(-0.99, 0.99, 4001).astype(np.float32)
    heard = quantised(ramp, table)
    assert (np.diff(heard) >= 0).all()
    assert np.abs(heard - ramp).max() < 0.03
    assert len(np.unique(table)) in (255, 256)
    assert len(np.unique(quantised(ramp, table))) < 256


@pytest.mark.parametrize("call", [mulaw_call, alaw_call])
def test_a_telephone_call_keeps_time_and_loses_the_upper_band(call):
    pcm = voice_like(3, 1.0) + 0.1 * np.random.default_rng(0).standard_normal(16_000)
    heard = call(pcm.astype(np.float32))
    assert heard.shape == pcm.shape
    assert spectrum_above(heard, 4300) < 0.01
    lags = [np.dot(pcm, np.roll(heard, lag)) for lag in range(-8, 9)]
    assert int(np.argmax(lags)) == 8


@pytest.mark.skipif(not can_encode("libopus"), reason="this FFmpeg has no libopus")
def test_opus_keeps_time_and_length():
    pcm = np.convolve(np.random.default_rng(4).standard_normal(19_200), np.ones(8) / 40, "same")
    pcm = pcm.astype(np.float32)
    heard = opus_call(pcm, 24_000)
    assert heard.shape == pcm.shape
    lags = [np.dot(pcm, np.roll(heard, lag)) for lag in range(-40, 41)]
    assert abs(int(np.argmax(lags)) - 40) <= 3
    np.testing.assert_array_equal(heard, opus_call(pcm, 24_000))


def test_level_is_set_apart_from_the_clips_own():
    config = replace(quiet(), level=1.0, level_least_db=-20.0, level_most_db=-20.0)
    augment = Augmenter(config)
    soft = augment(0.01 * voice_like(5), np.random.default_rng(0))
    loud = augment(2.0 * voice_like(5), np.random.default_rng(0))
    np.testing.assert_allclose(soft, loud, atol=1e-4)


def test_shares_outside_their_range_are_refused():
    with pytest.raises(SettingsError, match=r"augment\.noise=1\.5"):
        AugmentConfig(noise=1.5)
    with pytest.raises(SettingsError, match="sum of at most 1"):
        AugmentConfig(narrow=0.9, opus=0.2)


def test_speech_is_found_where_it_is():
    ticks = speech_ticks(voice_like(6, 2.0))
    assert ticks.shape == (200,)
    assert ticks[5:25].all()  # a burst of 300 ms, from the start
    assert not ticks[38:44].any()  # the pause behind it
    assert not speech_ticks(np.zeros(16_000, np.float32)).any()
    assert speech_ticks(np.zeros(10, np.float32)).size == 0
    frames = speech_frames(ticks, 0, 60)
    assert frames.shape == (60,)
    assert frames[2] == 1
    assert frames[50:].sum() == 0  # behind the clip's end


def test_every_kind_of_line_noise_is_drawn_and_repeats():
    music = (1000 * np.ones(32_000)).astype(np.int16)
    source = Nonspeech(music)
    assert source.kinds == KINDS
    for seed in range(25):
        pcm = source.draw(np.random.default_rng(seed), 8000)
        assert pcm.shape == (8000,)
        assert pcm.dtype == np.float32
        assert np.abs(pcm).max() <= 1
        np.testing.assert_array_equal(pcm, source.draw(np.random.default_rng(seed), 8000))
    assert "music" not in Nonspeech().kinds
