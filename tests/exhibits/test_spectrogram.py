"""A minute in full, the whole call ever coarser, and memory that hardly grows."""

from __future__ import annotations

import numpy as np
import pytest

from streamtrace.exhibits.bands import BANDS, COLUMN_MS, COLUMNS_PER_STEP, Bytes
from streamtrace.exhibits.spectrogram import MOST_FINE, Spectrogram, Stretch
from streamtrace.values import STEP_MS

MINUTE_STEPS = 60_000 // STEP_MS


def columns(value: int) -> Bytes:
    return np.full((COLUMNS_PER_STEP, BANDS), value, np.uint8)


def of_call(steps: int, *, first: int = 0) -> Spectrogram:
    """Each step as loud as its place in a count to 200."""
    spectrogram = Spectrogram()
    for index in range(first, first + steps):
        spectrogram.put(index, columns(index % 200))
    return spectrogram


def test_the_last_minute_is_held_as_it_was() -> None:
    spectrogram = of_call(2 * MINUTE_STEPS)
    end = spectrogram.end_ms
    assert end == 120_000
    stretch = spectrogram.stretch(end - 60_000, end, 10_000)
    expected = np.repeat(np.arange(MINUTE_STEPS, 2 * MINUTE_STEPS) % 200, COLUMNS_PER_STEP)
    assert stretch.columns.shape == (MOST_FINE, BANDS)
    assert (stretch.columns[:, 0] == expected).all()


def test_what_lies_behind_it_is_there_at_its_own_time() -> None:
    spectrogram = Spectrogram()
    for index in range(30 * MINUTE_STEPS):
        spectrogram.put(index, columns(200 if 2_000 <= index < 2_100 else 10))
    stretch = spectrogram.stretch(0, spectrogram.end_ms, 2_000)
    loud = np.flatnonzero(stretch.columns[:, 5] > 100) * spectrogram.end_ms / 2_000
    assert loud.min() == pytest.approx(2_000 * STEP_MS, abs=3_000)
    assert loud.max() == pytest.approx(2_100 * STEP_MS, abs=3_000)
    assert (stretch.columns > 0).all()  # no hole between one resolution and the next


def test_memory_grows_with_the_logarithm_of_the_call() -> None:
    assert of_call(MINUTE_STEPS).nbytes <= 25_000
    hour = Spectrogram()
    hour.put(0, columns(1))
    hour.put(60 * MINUTE_STEPS, columns(1))
    assert hour.nbytes <= 65_000
    hour.put(12 * 60 * MINUTE_STEPS, columns(1))
    assert hour.nbytes <= 90_000


def test_a_gap_is_blank_and_a_step_that_comes_twice_changes_nothing() -> None:
    spectrogram = Spectrogram()
    for index, value in ((10, 50), (13, 60), (13, 90), (11, 90)):
        spectrogram.put(index, columns(value))
    assert (spectrogram.start_ms, spectrogram.end_ms) == (10 * STEP_MS, 14 * STEP_MS)
    shown = spectrogram.stretch(9 * STEP_MS, 15 * STEP_MS, 100).columns[:, 0].tolist()
    assert shown == [0] * 3 + [50] * 3 + [0] * 6 + [60] * 3 + [0] * 3


def test_a_stretch_has_no_more_columns_than_there_is_room_for() -> None:
    spectrogram = of_call(100)
    assert len(spectrogram.stretch(0, 24_000, 40).columns) == 40
    assert len(spectrogram.stretch(0, 24_000, 4_000).columns) == 24_000 // COLUMN_MS
    assert len(spectrogram.stretch(500, 500, 40).columns) == 1


def test_an_empty_one_can_be_looked_at() -> None:
    empty = Spectrogram()
    assert not empty.stretch(0, 1_000, 10).columns.any()
    assert len(empty.recent()) == 0


def test_a_stretch_is_packed_and_unpacked() -> None:
    stretch = of_call(30).stretch(480, 4_800, 1_000)
    again = Stretch.unpacked(stretch.packed())
    assert (again.start_ms, again.end_ms) == (480, 4_800)
    assert (again.columns == stretch.columns).all()
    assert len(stretch.packed()) < stretch.columns.nbytes
