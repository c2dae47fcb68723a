"""The picture as somebody else decodes it: what is loud is bright, and what spoke is marked."""

from __future__ import annotations

import io

import av
import numpy as np
import numpy.typing as npt

from streamtrace.exhibits.bands import BANDS
from streamtrace.exhibits.picture import (
    AXIS_HEIGHT,
    BAND_HEIGHT,
    MARKS_HEIGHT,
    WIDTH,
    picture_of,
)
from streamtrace.exhibits.spectrogram import Stretch

Pixels = npt.NDArray[np.uint8]
HEIGHT = BANDS * BAND_HEIGHT
CYAN = (64, 220, 255)


def decoded(png: bytes) -> Pixels:
    """[H, W, 3]."""
    with av.open(io.BytesIO(png), "r") as file:
        return next(file.decode(video=0)).to_ndarray(format="rgb24").astype(np.uint8)


def stretch(columns: int = 50, *, start_ms: int = 0, loud: tuple[int, int] = (10, 20)) -> Stretch:
    made = np.full((columns, BANDS), 40, np.uint8)
    made[loud[0] : loud[1], 3] = 180
    return Stretch(start_ms, start_ms + 80 * columns, made)


def sound_of(pixels: Pixels) -> npt.NDArray[np.int64]:
    """[HEIGHT, W] brightness, the axes left out."""
    return pixels[MARKS_HEIGHT:-AXIS_HEIGHT].astype(int).sum(axis=2)


def test_loud_bands_are_bright_where_they_are_and_low_ones_at_the_bottom() -> None:
    pixels = decoded(picture_of(stretch()))
    assert pixels.shape == (MARKS_HEIGHT + HEIGHT + AXIS_HEIGHT, WIDTH, 3)
    row = sound_of(pixels)[HEIGHT - 3 * BAND_HEIGHT - 1]
    bright = np.flatnonzero(row > 600)
    assert (bright.min(), bright.max()) == (WIDTH // 5, 2 * WIDTH // 5 - 1)
    assert sound_of(pixels)[HEIGHT // 2, 100:].max() < 200


def test_marks_are_where_the_segments_are_and_outside_there_is_none() -> None:
    def marked(*marks: tuple[int, int]) -> npt.NDArray[np.int64]:
        pixels = decoded(picture_of(stretch(start_ms=10_000), marks))
        return np.flatnonzero((pixels[MARKS_HEIGHT // 2] == CYAN).all(axis=1))

    assert len(marked()) == 0
    assert len(marked((0, 9_000), (14_000, 20_000))) == 0
    at = marked((11_000, 12_000))
    assert abs(at.min() - WIDTH // 4) <= 2
    assert abs(at.max() - WIDTH // 2) <= 2
    assert marked((5_000, 50_000)).max() >= WIDTH - 3  # cut off at its edge


def test_any_length_has_ticks_that_can_be_told_apart() -> None:
    for seconds in (1, 9, 61, 600, 3_700, 43_200):
        whole = Stretch(0, 1_000 * seconds, np.zeros((10, BANDS), np.uint8))
        axis = decoded(picture_of(whole))[-AXIS_HEIGHT].astype(int).sum(axis=1)
        ticks = np.flatnonzero(axis > 500)
        assert 1 <= len(ticks) <= 13
        assert len(ticks) == 1 or np.diff(ticks).min() > 60


def test_silence_stays_dark() -> None:
    quiet = Stretch(0, 800, np.full((10, BANDS), 20, np.uint8))
    assert sound_of(decoded(picture_of(quiet)))[:, 40:].max() < 200
