"""Frames: where a tone lies, how many there are, and how they move."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.baselines.spectra import Lfcc, LogMel, heard_frames, linear_filters, moving


def tone(hz: float, samples: int = 8_000) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * hz * np.arange(samples) / 16_000)).astype(np.float32)


def test_a_higher_tone_lies_in_a_higher_band() -> None:
    peaks = [LogMel().frames(tone(hz)).mean(axis=0).argmax() for hz in (200, 800, 3_000, 7_000)]
    assert peaks == sorted(set(peaks))
    assert (linear_filters().sum(axis=0) > 0.5).all()


@pytest.mark.parametrize("front", [LogMel(), Lfcc()])
def test_frames_are_those_whose_windows_were_heard(front: LogMel | Lfcc) -> None:
    for samples in (100, 400, 559, 560, 8_000):
        frames = front.frames(tone(440, samples))
        assert frames.shape == (heard_frames(front, samples), front.width)
        assert np.isfinite(frames).all()


def test_slopes_are_of_what_came_before() -> None:
    rising = np.arange(20, dtype=np.float32)[:, None]
    table = moving(rising)
    np.testing.assert_allclose(table[4:, 1], 1, rtol=1e-5)
    np.testing.assert_allclose(table[8:, 2], 0, atol=1e-5)
    changed = rising.copy()
    changed[10:] = -50
    np.testing.assert_array_equal(moving(changed)[:10], table[:10])
