"""Rooms, noise, filters, levels and distortions do what their names say, and nothing worse."""

from __future__ import annotations

import numpy as np
import pytest

from tests.trainer.channel.voices import delay_samples, energy_above, likeness, vowels
from trainer.channel.distortion import coloured_additive, convolutive, impulsive
from trainer.channel.level import clipped, gain_controlled, levelled
from trainer.channel.noise import NoiseBank, coloured, loud_rms, mixed
from trainer.channel.rooms import room
from trainer.channel.spectrum import band_limits, convolved, frequencies, notches, shaped

VOICE = vowels(5, 1.5)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def level_db(pcm: np.ndarray) -> float:
    return 10 * float(np.log10(np.square(pcm, dtype=np.float64).mean() + 1e-20))


def test_a_room_has_a_direct_path_and_dies_away():
    for seed in range(10):
        response = room(rng(seed), 0.3, 0.3, reflected_db=-3.0)
        assert response.shape == (4802,)
        assert response[0] == 1
        assert np.square(response[1:]).sum() == pytest.approx(0.5, rel=0.01)
        early, late = np.square(response[1:1600]).sum(), np.square(response[3200:]).sum()
        assert late < 0.02 * early
    heard = convolved(VOICE, room(rng(), 0.3, 0.3, reflected_db=-6.0))
    assert heard.shape == VOICE.shape
    assert delay_samples(VOICE, heard) == 0


def test_rooms_are_as_reverberant_as_asked():
    """Schroeder's integral falls by 20 dB in a third of the time to -60, or a little sooner."""
    decays: list[float] = []
    for seed in range(10):
        response = room(rng(seed), 0.5, 0.5, reflected_db=0.0)
        left = np.cumsum(np.square(response[:0:-1], dtype=np.float64))[::-1]
        left_db = 10 * np.log10(left / left[0] + 1e-12)
        first, last = (int(np.argmax(left_db < db)) for db in (-5, -25))
        decays.append(3 * (last - first) / 16_000)
    assert 0.25 < float(np.mean(decays)) < 0.6


@pytest.mark.parametrize("slope", [0.0, 1.2])
def test_noise_has_its_power_and_colour(slope: float):
    noise = coloured(rng(), 32_000, slope)
    assert noise.std() == pytest.approx(1, rel=0.1)
    assert abs(noise.mean()) < 0.02
    assert (energy_above(noise, 4000) > 0.45) is (slope == 0)


def test_noise_is_mixed_at_its_ratio_and_never_to_silence():
    heard = mixed(VOICE, coloured(rng(), VOICE.size, 0.5), 12.0)
    assert 20 * np.log10(loud_rms(VOICE) / loud_rms(heard - VOICE)) == pytest.approx(12, abs=0.1)
    silence = np.zeros(8000, np.float32)
    np.testing.assert_array_equal(mixed(silence, coloured(rng(), 8000, 0), 10.0), silence)
    np.testing.assert_array_equal(mixed(VOICE, np.zeros_like(VOICE), 10.0), VOICE)


def test_the_bank_draws_all_kinds_and_repeats():
    bank = NoiseBank(seconds=1)
    drawn = [bank.draw(rng(seed), 20_000) for seed in range(20)]
    assert all(noise.shape == (20_000,) and np.isfinite(noise).all() for noise in drawn)
    assert len({energy_above(noise, 2000) > 0.3 for noise in drawn}) == 2
    np.testing.assert_array_equal(drawn[3], NoiseBank(seconds=1).draw(rng(3), 20_000))


def test_band_limits_cut_where_they_should():
    hiss = rng().standard_normal(16_000).astype(np.float32)
    gain = band_limits(frequencies(hiss), 300.0, 3400.0, 0.0)
    heard = shaped(hiss, gain)
    assert heard.shape == hiss.shape
    assert energy_above(heard, 4500) < 0.01
    assert 1 - energy_above(heard, 150) < 0.01
    assert delay_samples(hiss, heard) == 0
    tilted = shaped(hiss, band_limits(frequencies(hiss), 20.0, 8000.0, 6.0))
    assert energy_above(tilted, 4000) > energy_above(hiss, 4000) + 0.1


def test_notches_only_ever_take_away():
    for seed in range(10):
        gain = notches(rng(seed), frequencies(VOICE))
        assert gain.min() >= 0
        assert gain.max() <= 1
        assert gain.min() < 0.6


def test_level_goes_where_it_is_sent_but_never_beyond_full_scale():
    soft, loud = levelled(0.01 * VOICE, -20.0), levelled(2.0 * VOICE, -20.0)
    np.testing.assert_allclose(soft, loud, atol=1e-5)
    assert 20 * np.log10(loud_rms(soft)) == pytest.approx(-20, abs=0.1)
    assert np.abs(levelled(VOICE, 0.0)).max() <= 0.991
    assert not levelled(np.zeros(4000, np.float32), -20.0).any()


def test_clipping_takes_the_peaks_alone():
    heard = clipped(VOICE, 0.5)
    assert np.abs(heard).max() == pytest.approx(0.5 * np.abs(VOICE).max())
    below = np.abs(VOICE) < 0.4 * np.abs(VOICE).max()
    np.testing.assert_array_equal(heard[below], VOICE[below])


def test_gain_control_brings_soft_and_loud_together():
    pcm = np.concatenate([0.05 * VOICE, VOICE])
    heard = gain_controlled(pcm, -20.0, 0.01, 0.2, most_db=20.0)
    before = level_db(pcm[VOICE.size :]) - level_db(pcm[: VOICE.size])
    after = level_db(heard[VOICE.size :]) - level_db(heard[: VOICE.size])
    assert after < before / 2
    assert np.abs(heard).max() <= 1
    assert not gain_controlled(np.zeros(8000, np.float32), -20.0, 0.01, 0.2, 20.0).any()


@pytest.mark.parametrize("seed", range(5))
def test_distortions_leave_a_voice_that_can_be_heard(seed: int):
    for heard in (
        convolutive(VOICE, rng(seed)),
        impulsive(VOICE, rng(seed), 0.05),
        coloured_additive(VOICE, rng(seed), 15.0),
    ):
        assert heard.shape == VOICE.shape
        assert heard.dtype == np.float32
        assert not np.array_equal(heard, VOICE)
        assert likeness(VOICE, heard) > 0.6
        assert np.abs(heard).max() <= 1


def test_every_change_leaves_silence_and_crumbs_finite():
    for samples in (1, 5, 400):
        for level in (0.0, 1.0, -1.0):
            pcm = np.full(samples, level, dtype=np.float32)
            for heard in (
                convolutive(pcm, rng()),
                impulsive(pcm, rng(), 0.1),
                coloured_additive(pcm, rng(), 10.0),
                convolved(pcm, room(rng(), 0.1, 0.2, -3.0)),
                shaped(pcm, band_limits(frequencies(pcm), 300.0, 3400.0, -6.0)),
                levelled(pcm, -20.0),
                clipped(pcm, 0.4),
                gain_controlled(pcm, -20.0, 0.01, 0.1, 20.0),
            ):
                assert heard.shape == pcm.shape
                assert np.isfinite(heard).all()
