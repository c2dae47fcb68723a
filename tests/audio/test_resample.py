"""Streaming resampling keeps length, tone and, in the end, every sample."""

from __future__ import annotations

import numpy as np
import pytest

from streamtrace.audio.resample import Resampler
from streamtrace.errors import AudioError
from tests import builders


def resampled(rate_hz: int, pcm, cut: int):
    resampler = Resampler(rate_hz)
    parts = [resampler.feed(pcm[at : at + cut]) for at in range(0, len(pcm), cut)]
    return np.concatenate([*parts, resampler.flush()])


@pytest.mark.parametrize("rate_hz", [8000, 11025, 16000, 22050, 44100, 48000])
@pytest.mark.parametrize("cut", [37, 160, 1000])
def test_chunking_does_not_matter(rate_hz: int, cut: int) -> None:
    pcm = builders.tone(rate_hz // 2 + 13)
    whole = resampled(rate_hz, pcm, len(pcm))
    assert np.allclose(resampled(rate_hz, pcm, cut), whole, atol=1e-6)
    assert abs(len(whole) - len(pcm) * 16000 / rate_hz) <= 1


@pytest.mark.parametrize("rate_hz", [8000, 48000])
def test_a_tone_stays_in_tune_and_in_place(rate_hz: int) -> None:
    def tone(rate: int):
        return np.sin(2 * np.pi * 440 * np.arange(rate) / rate).astype(np.float32)

    got, want = resampled(rate_hz, tone(rate_hz), 160), tone(16000)
    assert np.abs(got - want)[500:-500].max() < 1e-3


def test_16_khz_passes_untouched() -> None:
    pcm = builders.tone(100)
    resampler = Resampler(16000)
    assert resampler.feed(pcm) is pcm
    assert len(resampler.flush()) == 0


@pytest.mark.parametrize("rate_hz", [-1, 0, 3999, 400_000])
def test_an_impossible_rate_is_named(rate_hz: int) -> None:
    with pytest.raises(AudioError, match=f"sample rate {rate_hz} Hz: want 4000 to 384000"):
        Resampler(rate_hz)
