"""A spectrogram as a picture: time to the right, pitch upwards, what spoke for an alert marked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from streamtrace.exhibits.bands import BANDS, CODES_PER_DB, Bytes, band_edges_hz
from streamtrace.exhibits.png import SIGN_HEIGHT, png, text_width, write
from streamtrace.exhibits.spectrogram import Stretch

WIDTH = 960  # pixels
MOST_COLUMNS = WIDTH
BAND_HEIGHT = 6
MARKS_HEIGHT = 12
AXIS_HEIGHT = 26
RANGE_CODES = 65 * CODES_PER_DB  # from black to white
LEAST_TOP = 70 * CODES_PER_DB  # -30 dB: a line with less stays dark

TONES = 248
GROUND, INK, MARK, EDGE = 248, 249, 250, 251
TICKS_MS = tuple(
    1000 * s for s in (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400)
)
MOST_TICKS = 12
LINES_HZ = (500, 1_000, 2_000, 4_000)

# Even steps to the eye, and darker is quieter without colours too.
_STOPS = (
    (4, 4, 16),
    (40, 17, 89),
    (97, 25, 128),
    (158, 47, 127),
    (214, 69, 108),
    (248, 117, 92),
    (254, 183, 122),
    (252, 250, 196),
)


def picture_of(stretch: Stretch, marks: Sequence[tuple[int, int]] = ()) -> bytes:
    """The stretch as PNG; marks are call times from and to, in ms."""
    body = BANDS * BAND_HEIGHT
    whole = np.full((MARKS_HEIGHT + body + AXIS_HEIGHT, WIDTH), GROUND, np.uint8)
    sound = whole[MARKS_HEIGHT : MARKS_HEIGHT + body]
    sound[:] = _tones(stretch.columns)
    _draw_pitch(sound)
    _draw_time(whole, stretch)
    for start_ms, end_ms in marks:
        if start_ms < stretch.end_ms and end_ms > stretch.start_ms:
            left, right = (_x(stretch, ms) for ms in (start_ms, end_ms))
            whole[2 : MARKS_HEIGHT - 2, left + 1 : max(right - 1, left + 2)] = MARK
            for edge in (left, right):
                sound[::2, min(edge, WIDTH - 1)] = EDGE
    return png(whole, _PALETTE)


def _tones(columns: Bytes) -> Bytes:
    """[N, BANDS] -> [BANDS * BAND_HEIGHT, WIDTH], low bands at the bottom."""
    top = max(int(columns.max(initial=0)), LEAST_TOP)
    shade = (columns.astype(np.float32) - (top - RANGE_CODES)) * ((TONES - 1) / RANGE_CODES)
    tones = np.clip(shade, 0, TONES - 1).astype(np.uint8)
    across = np.arange(WIDTH) * len(columns) // WIDTH
    return np.repeat(tones.T[::-1], BAND_HEIGHT, axis=0)[:, across]


def _draw_pitch(sound: Bytes) -> None:
    edges = band_edges_hz()
    for hz in LINES_HZ:
        band = float(np.interp(hz, edges, np.arange(BANDS + 1)))
        y = min(len(sound) - 1, round(len(sound) - band * BAND_HEIGHT))
        sound[y, :9] = INK
        if hz % 1_000 == 0:
            write(sound, f"{hz // 1000}k", top=y - SIGN_HEIGHT // 2, left=12, color=INK)


def _draw_time(whole: Bytes, stretch: Stretch) -> None:
    length = stretch.end_ms - stretch.start_ms
    every = next((ms for ms in TICKS_MS if length <= ms * MOST_TICKS), TICKS_MS[-1])
    axis = whole[-AXIS_HEIGHT:]
    for ms in range(-(-stretch.start_ms // every) * every, stretch.end_ms, every):
        x = _x(stretch, ms)
        axis[:5, x] = INK
        if x + text_width(said := _clock(ms)) <= WIDTH:
            write(axis, said, top=8, left=x, color=INK)


def _x(stretch: Stretch, ms: int) -> int:
    share = (ms - stretch.start_ms) / (stretch.end_ms - stretch.start_ms)
    return min(max(round(share * WIDTH), 0), WIDTH - 1)


def _clock(ms: int) -> str:
    whole = ms // 1000
    hours, rest = divmod(whole, 3600)
    if hours:
        return f"{hours}:{rest // 60:02}:{rest % 60:02}"
    return f"{rest // 60}:{rest % 60:02}"


def _palette() -> Bytes:
    at = np.linspace(0, len(_STOPS) - 1, TONES)
    stops: npt.NDArray[np.float64] = np.array(_STOPS, np.float64)
    palette = np.zeros((256, 3), np.uint8)
    for color in range(3):
        palette[:TONES, color] = np.rint(np.interp(at, np.arange(len(stops)), stops[:, color]))
    palette[GROUND] = (18, 24, 33)
    palette[INK] = (222, 228, 236)
    palette[MARK] = (64, 220, 255)
    palette[EDGE] = (64, 220, 255)
    return palette


_PALETTE = _palette()
