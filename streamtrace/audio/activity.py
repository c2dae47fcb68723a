"""The energy gate in front of the speech-activity head: what is too quiet is no evidence."""

from __future__ import annotations

import numpy as np

from streamtrace.values import FRAME_SAMPLES, Bools, Float32s

QUIETEST_RMS = 1e-3  # -60 dBFS: below lies the noise of an idle line

# An array, which numpy compares with for half of what a number costs.
_LEAST_POWER = np.array(FRAME_SAMPLES * QUIETEST_RMS**2, np.float32)


@np.errstate(over="ignore")  # what is absurdly loud is loud
def frame_powers(pcm: Float32s) -> Float32s:
    """[N * FRAME_SAMPLES] -> [N]: the sum of squares of each 40 ms frame."""
    frames = pcm.reshape(-1, FRAME_SAMPLES)
    return np.vecdot(frames, frames)


def loud(powers: Float32s) -> Bools:
    """[N] -> [N]: which frames are above -60 dBFS (RMS)."""
    return powers > _LEAST_POWER


def loud_frames(pcm: Float32s) -> Bools:
    """[N * FRAME_SAMPLES] -> [N]: the same, of audio."""
    return loud(frame_powers(pcm))
