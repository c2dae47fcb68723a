"""Every DSP vocoder says the same at the same time, and not with the same samples."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

from streamtrace.values import Float32s
from tests.trainer.vocoders.voices import level_above_db, level_db, low_passed, voice
from trainer.manifest import DSP_SOURCES, DataError, is_self_made
from trainer.vocoders.catalogue import DSP_VOCODERS, Vocoder, vocoders_named
from trainer.vocoders.matching import matched
from trainer.vocoders.pitch import pitch_track

RUNNABLE = [v for v in DSP_VOCODERS if v.source != "world" or find_spec("pyworld")]
each = pytest.mark.parametrize("vocoder", RUNNABLE, ids=lambda vocoder: vocoder.source)


def through(vocoder: Vocoder, pcm: Float32s, seed: int = 0) -> Float32s:
    return matched(vocoder.synthesise([pcm], [np.random.default_rng(seed)])[0], pcm)


def loudness(pcm: Float32s) -> Float32s:
    ticks = pcm[: pcm.size // 80 * 80].reshape(-1, 80)
    return np.log(np.square(ticks).mean(axis=1) + 1e-7)


@each
def test_level_length_and_time_are_the_originals(vocoder: Vocoder):
    pcm = voice()
    made = through(vocoder, pcm)
    assert made.shape == pcm.shape
    assert abs(level_db(made) - level_db(pcm)) < 0.5
    a, b = (loudness(x) - loudness(x).mean() for x in (pcm, made))
    late = int(np.correlate(b, a, "full").argmax()) - (a.size - 1)
    assert abs(late) <= 1  # of 5 ms
    assert (a * b).sum() > 0.8 * np.sqrt((a * a).sum() * (b * b).sum())


@each
def test_it_is_a_resynthesis_and_not_a_copy(vocoder: Vocoder):
    pcm = voice()
    made = through(vocoder, pcm)
    assert np.square(made - pcm).sum() > 0.01 * np.square(pcm).sum()


@each
def test_band_limited_speech_stays_band_limited(vocoder: Vocoder):
    pcm = low_passed(voice(), 3600)
    pcm += 3e-5 * np.random.default_rng(0).standard_normal(pcm.size).astype(np.float32)
    assert level_above_db(through(vocoder, pcm), 4000) < level_above_db(pcm, 4000) + 1


@each
def test_the_same_draws_give_the_same_samples(vocoder: Vocoder):
    pcm = voice(0.5)
    assert np.array_equal(through(vocoder, pcm, 3), through(vocoder, pcm, 3))


@each
def test_silence_and_noise_do_no_harm(vocoder: Vocoder):
    draws = [np.random.default_rng(0), np.random.default_rng(1)]
    noise = 0.01 * np.random.default_rng(2).standard_normal(6000).astype(np.float32)
    for made in vocoder.synthesise([np.zeros(6000, dtype=np.float32), noise], draws):
        assert np.isfinite(made).all()


def test_the_pitch_is_followed():
    hz = pitch_track(voice(hz=200), 80)
    told = 200 * (1 + 0.15 * np.sin(2 * np.pi * 1.5 * np.arange(hz.size) * 80 / 16_000))
    voiced = hz > 0
    assert voiced.mean() > 0.6
    assert (np.abs(hz / told - 1)[voiced] < 0.03).mean() > 0.95


def test_every_source_is_known_as_self_made():
    assert {vocoder.source for vocoder in DSP_VOCODERS} == DSP_SOURCES
    assert all(is_self_made(vocoder.source) for vocoder in DSP_VOCODERS)
    assert is_self_made("self-istft")
    assert not is_self_made("hifigan")


def test_vocoders_go_by_name():
    assert [v.source for v in vocoders_named(["mlsa", "griffin-lim"])] == ["mlsa", "griffin-lim"]
    with pytest.raises(DataError, match="no vocoder 'mlsq'; want the folder of a trained one"):
        vocoders_named(["mlsq"])
