"""Where a clean clip speaks: the target of the activity head, from energy alone."""

from __future__ import annotations

import numpy as np

from streamtrace.values import FRAME_SAMPLES, Bools, Float32s

TICK_SAMPLES = 160  # 10 ms: fine enough for a crop to start anywhere
_SPREAD_TICKS = 5  # unvoiced edges and short closures belong to speech


def speech_ticks(pcm: Float32s) -> Bools:
    """Which 10-ms ticks of a clean clip hold speech: [T] -> [T // 160].

    The threshold follows the clip: 9 dB over its quietest tenth, but never further than 15 dB
    below its loud ticks (a tightly cut clip has no pause to measure) nor 38 dB (a digitally silent
    pause would let every breath count).
    """
    ticks = pcm.size // TICK_SAMPLES
    if ticks == 0:
        return np.zeros(0, dtype=np.bool_)
    square = np.square(pcm[: ticks * TICK_SAMPLES].reshape(ticks, TICK_SAMPLES))
    level_db = 10 * np.log10(square.mean(axis=1) + 1e-10)
    floor_db, loud_db = np.percentile(level_db, (10, 95))
    if loud_db < -75:
        return np.zeros(ticks, dtype=np.bool_)
    threshold_db = min(max(floor_db + 9, loud_db - 38), loud_db - 15)
    above = (level_db > threshold_db).astype(np.float32)
    near = np.convolve(above, np.ones(2 * _SPREAD_TICKS + 1, dtype=np.float32), mode="same")
    # Two loud ticks near by: a single click does not make speech.
    return near >= 2


def speech_frames(ticks: Bools, start_sample: int, frames: int) -> Float32s:
    """The share of speech in each 40-ms frame of a crop [N]; behind the clip's end it is zero."""
    per_frame = FRAME_SAMPLES // TICK_SAMPLES
    first = start_sample // TICK_SAMPLES
    part = np.zeros(frames * per_frame, dtype=np.float32)
    found = ticks[first : first + part.size]
    part[: found.size] = found
    return part.reshape(frames, per_frame).mean(axis=1)
