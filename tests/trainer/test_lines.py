"""The four lines of the evaluation: repeatable, in time, and bounded."""

from __future__ import annotations

import numpy as np
import pytest

from tests.trainer.channel.voices import delay_samples
from tests.trainer.trees import voice_like
from trainer.channel.packets import can_encode
from trainer.lines import EVALUATION_LINES, LINES, SNR_DB, over_line

needs_opus = pytest.mark.skipif(not can_encode("libopus"), reason="this FFmpeg has no libopus")
HERE = [
    pytest.param(line, marks=needs_opus) if line == "opus-loss" else line
    for line in EVALUATION_LINES
]


def test_calibration_keeps_its_two_lines():
    assert LINES == ("clean", "g711")
    assert EVALUATION_LINES[:2] == LINES


@pytest.mark.parametrize("line", HERE)
def test_a_line_repeats_by_seed_and_keeps_length_and_time(line: str):
    pcm = voice_like(1, 2.0)
    heard = over_line(pcm, line, 5)
    assert heard.shape == pcm.shape
    assert heard.dtype == np.float32
    assert np.abs(heard).max() <= 1.1
    assert abs(delay_samples(pcm, heard)) <= 16
    np.testing.assert_array_equal(heard, over_line(pcm, line, 5))


@pytest.mark.parametrize("line", ["noise", pytest.param("opus-loss", marks=needs_opus)])
def test_another_seed_meets_other_noise_and_losses(line: str):
    pcm = voice_like(1, 3.0)
    assert not np.array_equal(over_line(pcm, line, 1), over_line(pcm, line, 2))


@pytest.mark.parametrize("line", HERE)
@pytest.mark.parametrize("samples", [1, 159, 3840])
def test_short_and_silent_clips_stay_finite(line: str, samples: int):
    for level in (0.0, 1.0, -1.0):
        heard = over_line(np.full(samples, level, dtype=np.float32), line, 3)
        assert heard.shape == (samples,)
        assert np.isfinite(heard).all()


def test_noise_is_where_it_was_asked_for():
    loud = 0.1 * np.sin(np.arange(32_000) * 0.3).astype(np.float32)
    added = over_line(loud, "noise", 1) - loud
    snr_db = 10 * np.log10(np.square(loud).mean() / np.square(added).mean())
    assert snr_db == pytest.approx(SNR_DB, abs=1)


def test_an_unknown_line_is_named():
    with pytest.raises(ValueError, match="'isdn': no such line; known: clean, g711"):
        over_line(np.zeros(10, np.float32), "isdn")
