"""Every codec keeps length, time and most of a voice, with and without losses."""

from __future__ import annotations

import numpy as np
import pytest

from tests.trainer.channel.voices import delay_samples, energy_above, likeness, vowels
from trainer.channel.config import CODEC_NAMES
from trainer.channel.loss import Loss
from trainer.codecs import CODECS, Passage, available

VOICE = vowels(1, 1.5)
WIDE = {"g722", "speex", "opus"}
# Correlation of waveforms that the coarsest of its rates keeps: less for those that model a voice.
LEAST = {"band": 0.98, "mulaw": 0.98, "alaw": 0.98, "g722": 0.98, "g723": 0.9, "g726": 0.85}


def names() -> list[object]:
    here = available()
    lacking = pytest.mark.skipif(True, reason="no encoder for it on this machine")
    return [name if name in here else pytest.param(name, marks=lacking) for name in CODECS]


def test_each_codec_has_a_weight_of_its_own():
    assert tuple(CODECS) == CODEC_NAMES


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("choice", [0.0, 0.5, 0.999])
def test_a_voice_comes_through_in_time(name: str, choice: float):
    passage = Passage(choice, bps=round(10_000 + 20_000 * choice))
    heard = CODECS[name](VOICE, passage)
    assert heard.shape == VOICE.shape
    assert heard.dtype == np.float32
    assert abs(delay_samples(VOICE, heard)) <= 32  # 2 ms
    assert likeness(VOICE, heard) > LEAST.get(name, 0.6)
    assert 0.5 < np.abs(heard).max() / np.abs(VOICE).max() < 1.6
    if name not in WIDE:
        hiss = 0.05 * np.random.default_rng(2).standard_normal(VOICE.size)
        assert energy_above(CODECS[name](hiss.astype(np.float32), passage), 4300) < 0.02
    np.testing.assert_array_equal(heard, CODECS[name](VOICE, passage))


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("fill", ["own", "pitch", "repeat", "silence"])
def test_losses_are_concealed_and_bounded(name: str, fill: str):
    loss = Loss(0.12, 2.0, fill, seed=2)  # type: ignore[arg-type]
    whole, heard = (CODECS[name](VOICE, Passage(0.3, loss=with_loss)) for with_loss in (None, loss))
    assert heard.shape == VOICE.shape
    assert np.isfinite(heard).all()
    assert np.abs(heard).max() <= 2 * np.abs(whole).max()
    assert not np.array_equal(heard, whole)
    assert likeness(VOICE, heard) > 0.4
    np.testing.assert_array_equal(heard, CODECS[name](VOICE, Passage(0.3, loss=loss)))


@pytest.mark.parametrize("name", names())
def test_silence_full_scale_and_crumbs_stay_finite(name: str):
    everything_lost = Loss(1.0, 0.0, "own", seed=1)
    for samples in (1, 7, 161, 4000):
        square = np.where(np.arange(samples) % 40 < 20, 1.0, -1.0).astype(np.float32)
        for pcm in (np.zeros(samples, np.float32), square):
            for loss in (None, everything_lost):
                heard = CODECS[name](pcm, Passage(0.9, loss=loss))
                assert heard.shape == pcm.shape
                assert np.isfinite(heard).all()
                assert np.abs(heard).max() < 3  # resampling overshoots squares


def test_lower_rates_lose_more():
    for name in {"g726", "opus"} & available():
        poor, rich = (
            likeness(VOICE, CODECS[name](VOICE, Passage(choice, bps)))
            for choice, bps in ((0.0, 8_000), (0.9, 40_000))
        )
        assert poor < rich
