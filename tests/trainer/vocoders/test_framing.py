"""Frames and back again."""

from __future__ import annotations

import numpy as np
import pytest

from tests.trainer.vocoders.voices import voice
from trainer.vocoders.framing import frames_of, overlap_add, spectrogram, waveform
from trainer.vocoders.mel import mel_filters


@pytest.mark.parametrize(("length", "hop"), [(1024, 256), (800, 200), (512, 128)])
def test_a_spectrogram_is_inverted(length: int, hop: int):
    pcm = voice(0.5)
    back = waveform(spectrogram(pcm, length, hop), length, hop, pcm.size)
    assert np.allclose(back, pcm, atol=1e-5)


def test_frames_are_centred_on_every_hop():
    pcm = np.arange(1000, dtype=np.float32)
    frames = frames_of(pcm, 20, 10)
    assert frames.shape == (101, 20)
    assert frames[7, 10] == 70
    assert not frames[0, :10].any()


def test_frames_add_up_from_where_the_first_begins():
    frames = np.ones((3, 4), dtype=np.float32)
    assert overlap_add(frames, 2, 6).tolist() == [2, 2, 2, 2, 1, 1]
    assert overlap_add(frames, 2, 8, first=0).tolist() == [1, 1, 2, 2, 2, 2, 1, 1]
    assert overlap_add(frames, 2, 12, first=-1)[:8].tolist() == [1, 2, 2, 2, 2, 1, 1, 0]


@pytest.mark.parametrize("length", [256, 512, 1024])
def test_every_mel_band_hears_something(length: int):
    filters = mel_filters(length, min(80, length // 8))
    assert filters.shape == (min(80, length // 8), length // 2 + 1)
    assert (filters.sum(axis=1) > 0).all()
    assert (filters >= 0).all()
