"""Audio as loudness in a few bands, of all calls together: what a spectrogram is drawn from.

It is drawn for eyes and made unfit for ears: windows of 16 ms tell no pitch, columns of 80 ms run
sounds into one another, and no phase is kept.
"""

from __future__ import annotations

import itertools
import math
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from streamtrace.values import CONTEXT_SAMPLES, SAMPLE_RATE_HZ, STEP_SAMPLES, Float32s, Step

Bytes: TypeAlias = npt.NDArray[np.uint8]

BANDS = 32
COLUMNS_PER_STEP = 3
COLUMN_SAMPLES = STEP_SAMPLES // COLUMNS_PER_STEP
COLUMN_MS = COLUMN_SAMPLES * 1000 // SAMPLE_RATE_HZ  # 80
WINDOW_SAMPLES = 256  # 16 ms
HEARD_SAMPLES = 2 * WINDOW_SAMPLES  # of each column, in its middle
LOW_HZ, HIGH_HZ = 60.0, 8_000.0

QUIETEST_DB = -100.0  # code 0; a full-scale tone is 0 dB
CODES_PER_DB = 2
FULL_SCALE = 0.97  # both laws of G.711 end at 0.98
MOST_STEPS = 16  # looked at together: a step alone would cost five times as much


class Heard(Protocol):
    """Whoever a step belongs to."""

    def take(self, index: int, columns: Bytes, clipped: int) -> None:
        """[COLUMNS_PER_STEP, BANDS] of a step, and how many of its `HEARD_PER_STEP` samples were
        at full scale."""
        ...


HEARD_PER_STEP = COLUMNS_PER_STEP * HEARD_SAMPLES


class Spectrograph:
    """One for all calls: their steps are looked at a few at a time, or when somebody asks."""

    def __init__(self) -> None:
        self._sound = np.empty((MOST_STEPS * COLUMNS_PER_STEP, HEARD_SAMPLES), np.float32)
        self._whose: list[tuple[Heard, int]] = []

    def add(self, whose: Heard, step: Step) -> None:
        """A step that has been decided on."""
        at = len(self._whose) * COLUMNS_PER_STEP
        columns = step.pcm[CONTEXT_SAMPLES:].reshape(COLUMNS_PER_STEP, COLUMN_SAMPLES)
        self._sound[at : at + COLUMNS_PER_STEP] = columns[:, _MIDDLE]
        self._whose.append((whose, step.index))
        if len(self._whose) == MOST_STEPS:
            self.flush()

    def flush(self) -> None:
        """Hand out what has been added so far."""
        if not self._whose:
            return
        whose, self._whose = self._whose, []
        sound = self._sound[: len(whose) * COLUMNS_PER_STEP]
        columns = loudness(sound).reshape(len(whose), COLUMNS_PER_STEP, BANDS)
        clipped = _clipped(sound)
        for row, (one, index) in enumerate(whose):
            one.take(index, columns[row], clipped[row])


def loudness(sound: Float32s) -> Bytes:
    """[N, HEARD_SAMPLES] -> [N, BANDS] in codes."""
    parts = sound.reshape(-1, WINDOW_SAMPLES) @ _FILTERS  # a quarter of what a spectrum costs
    parts *= parts
    bands: Float32s = parts.reshape(len(sound), 4, BANDS).sum(axis=1)  # both halves of both windows
    bands += _FLOOR
    np.log10(bands, out=bands)
    bands *= 10 * CODES_PER_DB
    bands -= CODES_PER_DB * QUIETEST_DB
    np.clip(bands, 0, 255, out=bands)
    codes: Bytes = bands.astype(np.uint8)
    return codes


def band_edges_hz() -> npt.NDArray[np.float64]:
    """[BANDS + 1]: even steps on the mel scale."""
    low, high = (2595 * math.log10(1 + hz / 700) for hz in (LOW_HZ, HIGH_HZ))
    return 700 * (np.power(10.0, np.linspace(low, high, BANDS + 1) / 2595) - 1)


def _filters() -> Float32s:
    """[WINDOW_SAMPLES, 2 * BANDS]: a band's middle, windowed as short as the band is wide; cosines,
    then sines.
    """
    edges = band_edges_hz()
    filters = np.zeros((WINDOW_SAMPLES, 2 * BANDS))
    for band, (low, high) in enumerate(itertools.pairwise(edges)):
        length = min(WINDOW_SAMPLES, round(SAMPLE_RATE_HZ / (high - low)) * 2)
        first = (WINDOW_SAMPLES - length) // 2
        window = np.hanning(length + 1)[:-1]
        window *= 2 / window.sum() / np.sqrt(2)  # a tone is heard in two windows
        angle = np.pi * (low + high) / SAMPLE_RATE_HZ * np.arange(length)
        filters[first : first + length, band] = window * np.cos(angle)
        filters[first : first + length, BANDS + band] = window * np.sin(angle)
    return filters.astype(np.float32)


def _clipped(sound: Float32s) -> list[int]:
    """[N * COLUMNS_PER_STEP, HEARD_SAMPLES] -> N counts; most calls never come near."""
    if sound.max() < FULL_SCALE and sound.min() > -FULL_SCALE:
        return [0] * (len(sound) // COLUMNS_PER_STEP)
    full = np.abs(sound).reshape(-1, HEARD_PER_STEP) >= FULL_SCALE
    return [int(np.count_nonzero(row)) for row in full]


_MIDDLE = slice((COLUMN_SAMPLES - HEARD_SAMPLES) // 2, (COLUMN_SAMPLES + HEARD_SAMPLES) // 2)
_FILTERS = _filters()
_FLOOR = np.float32(10 ** (QUIETEST_DB / 10))
