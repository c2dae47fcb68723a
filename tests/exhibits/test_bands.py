"""What is seen of a sound: which bands, how loud, and that company changes nothing."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from streamtrace.exhibits.bands import (
    BANDS,
    CODES_PER_DB,
    COLUMNS_PER_STEP,
    HEARD_PER_STEP,
    MOST_STEPS,
    QUIETEST_DB,
    Bytes,
    Spectrograph,
    band_edges_hz,
)
from streamtrace.values import Float32s
from tests.exhibits import sounds


class Seen:
    """One leg's steps, as they were seen."""

    def __init__(self) -> None:
        self.columns: dict[int, Bytes] = {}
        self.clipped: dict[int, int] = {}

    def take(self, index: int, columns: Bytes, clipped: int) -> None:
        self.columns[index], self.clipped[index] = columns, clipped


def seen(pcm: Float32s) -> Seen:
    spectrograph, leg = Spectrograph(), Seen()
    spectrograph.add(leg, sounds.step(7, pcm))
    assert not leg.columns
    spectrograph.flush()
    spectrograph.flush()  # nothing is handed out twice
    return leg


@pytest.mark.parametrize("hz", [300, 1_000, 3_000, 6_500])
def test_a_tone_is_loudest_in_its_own_band(hz: int) -> None:
    columns = seen(sounds.tone(hz, 0.5)).columns[7]
    assert columns.shape == (COLUMNS_PER_STEP, BANDS)
    low, high = list(itertools.pairwise(band_edges_hz()))[int(columns[0].argmax())]
    assert low <= hz <= high
    level_db = columns.max() / CODES_PER_DB + QUIETEST_DB
    assert -12 < level_db < -5  # a tone of -6 dB, at most as far from a band's middle as its edge
    assert np.median(columns) < columns.max() - 40 * CODES_PER_DB


def test_silence_is_nothing_and_the_context_is_not_looked_at() -> None:
    assert not seen(sounds.silence()).columns[7].any()


def test_only_full_scale_is_clipped() -> None:
    assert seen(sounds.tone(440, 0.9)).clipped[7] == 0
    loud = np.clip(sounds.tone(440, 3.0), -0.98, 0.98)
    assert 0.6 * HEARD_PER_STEP < seen(loud).clipped[7] < 0.9 * HEARD_PER_STEP
    assert seen(-np.maximum(loud, 0)).clipped[7] > 0


def test_steps_of_many_legs_are_handed_to_their_own() -> None:
    spectrograph = Spectrograph()
    legs = [Seen() for _ in range(5)]
    pcm = [sounds.noise(seed) for seed in range(MOST_STEPS + 3)]
    for index, each in enumerate(pcm):
        spectrograph.add(legs[index % 5], sounds.step(index, each))
    assert sum(len(leg.columns) for leg in legs) == MOST_STEPS  # as soon as so many have come
    spectrograph.flush()
    for index, each in enumerate(pcm):
        alone = seen(each).columns[7].astype(int)
        assert np.abs(legs[index % 5].columns[index] - alone).max() <= 1
