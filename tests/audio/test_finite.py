"""Samples that are no numbers become silence, all others stay as they are."""

from __future__ import annotations

import numpy as np

from streamtrace.audio.finite import finite


def test_numbers_are_not_copied() -> None:
    pcm = np.linspace(-1, 1, 100, dtype=np.float32)
    assert finite(pcm) is pcm


def test_what_is_no_number_becomes_silence() -> None:
    pcm = np.array([0.5, np.nan, np.inf, -np.inf, -0.5], np.float32)
    assert finite(pcm).tolist() == [0.5, 0.0, 0.0, 0.0, -0.5]
