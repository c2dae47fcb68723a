"""The channel sees no label, repeats by seed, and each of its parts can be switched."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from tests.trainer.channel.voices import likeness, vowels
from trainer.augment import STAGES, AugmentConfig, Augmenter, quiet
from trainer.nonspeech import KINDS, Nonspeech
from trainer.speech import speech_frames, speech_ticks

VOICE = vowels(1, 1.0)


def babble(rng: np.random.Generator, length: int) -> np.ndarray:
    return np.resize(vowels(int(rng.integers(3)), 0.5), length)


@pytest.fixture(scope="module")
def augment() -> Augmenter:
    return Augmenter(AugmentConfig(), babble)


def channels(count: int) -> Iterator[np.random.Generator]:
    return (np.random.default_rng(seed) for seed in range(count))


def test_the_channel_is_told_nothing_but_audio_and_a_generator():
    """Whatever the label is, it cannot matter: there is no way for it to get in."""
    assert list(inspect.signature(Augmenter.__call__).parameters) == [
        "self",
        "pcm",
        "rng",
        "with_babble",
    ]


def test_the_same_seed_gives_the_same_audio_and_another_gives_another(augment: Augmenter):
    other = Augmenter(AugmentConfig(), babble)
    heard = [augment(VOICE, rng) for rng in channels(25)]
    for once, again in zip(heard, [other(VOICE, rng) for rng in channels(25)], strict=True):
        np.testing.assert_array_equal(once, again)
        assert once.shape == VOICE.shape
        assert once.dtype == np.float32
        assert np.isfinite(once).all()
        assert np.abs(once).max() <= 1
    assert len({once.tobytes() for once in heard}) > 20


def test_a_clip_takes_the_same_draws_whatever_it_holds(augment: Augmenter):
    """A generator is left in the same state, so nothing of a clip reaches the next one."""
    for seed in range(10):
        after = [np.random.default_rng(seed) for _ in range(3)]
        augment(VOICE, after[0])
        augment(np.zeros(100, np.float32), after[1])
        Augmenter(quiet())(VOICE, after[2])
        assert len({rng.random() for rng in after}) == 1


def test_silence_full_scale_and_crumbs_stay_finite(augment: Augmenter):
    square = np.where(np.arange(4000) % 30 < 15, 1.0, -1.0).astype(np.float32)
    for rng in channels(15):
        for pcm in (np.zeros(4000, np.float32), square, square[:1], square[:200], square[:0]):
            heard = augment(pcm, rng)
            assert heard.shape == pcm.shape
            assert np.isfinite(heard).all()
            assert np.abs(heard).max(initial=0) <= 1


def test_quiet_changes_nothing_but_the_offset():
    heard = Augmenter(quiet())(VOICE + np.float32(0.1), np.random.default_rng(0))
    np.testing.assert_allclose(heard, VOICE - VOICE.mean(), atol=1e-5)


@pytest.mark.parametrize("stage", STAGES)
def test_each_stage_is_a_switch_of_its_own(stage: str):
    alone = replace(quiet(), **{stage: 1.0})
    without = replace(AugmentConfig(), **{stage: 0.0})
    pcm = 0.1 * VOICE
    heard = Augmenter(alone, babble)(pcm, np.random.default_rng(3))
    assert not np.allclose(heard, pcm - pcm.mean(), atol=1e-4)
    assert likeness(pcm, heard) > 0.4
    never, always = (
        Augmenter(replace(config, clean=0.0), babble)(pcm, np.random.default_rng(3))
        for config in (without, replace(without, **{stage: 1.0}))
    )
    assert not np.array_equal(never, always)


def test_clean_spares_everything_but_the_level():
    pcm = VOICE - VOICE.mean()
    config = replace(AugmentConfig(), clean=1.0, level_least_db=-30.0, level_most_db=-30.0)
    for rng in channels(10):
        assert likeness(pcm, Augmenter(config, babble)(pcm, rng)) > 0.99999


def test_level_is_set_apart_from_the_clips_own():
    config = replace(quiet(), level=1.0, level_least_db=-20.0, level_most_db=-20.0)
    levels = Augmenter(config)
    soft, loud = (levels(gain * VOICE, np.random.default_rng(0)) for gain in (0.01, 2.0))
    np.testing.assert_allclose(soft, loud, atol=1e-4)


def test_tandem_and_loss_change_what_a_codec_leaves():
    one = replace(quiet(), codec=1.0, mulaw=1.0, **dict.fromkeys(("alaw", "opus", "gsm"), 0.0))
    two = replace(one, tandem=1.0)
    lossy = replace(one, loss=1.0, loss_least=0.1, loss_most=0.1)
    for rng_one, rng_two, rng_lossy in zip(channels(5), channels(5), channels(5), strict=True):
        heard = Augmenter(one)(VOICE, rng_one)
        assert not np.array_equal(heard, Augmenter(two)(VOICE, rng_two))
        assert not np.array_equal(heard, Augmenter(lossy)(VOICE, rng_lossy))


def test_a_codec_that_is_lacking_is_named_and_left_out(caplog: pytest.LogCaptureFixture):
    config = replace(quiet(), codec=1.0, band=0.0)
    with caplog.at_level(logging.WARNING):
        lacking = Augmenter(config, codecs={"band", "mulaw"})
    assert "no encoder on this machine for alaw, amr, g722" in caplog.text
    assert likeness(VOICE, lacking(VOICE, np.random.default_rng(1))) > 0.95


def test_speech_is_found_where_it_is():
    tone = np.sin(np.arange(32_000) * 0.2) * ((np.arange(32_000) % 8000) < 4800)
    ticks = speech_ticks(0.3 * tone.astype(np.float32))
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
