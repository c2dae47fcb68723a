"""The energy gate in front of the speech-activity head: what is too quiet is no evidence."""

from __future__ import annotations

import numpy as np

from streamtrace.values import FRAME_SAMPLES, Bools, Float32s

QUIETEST_RMS = 1e-3  # -60 dBFS: below lies the noise of an idle line


def loud_frames(pcm: Float32s) -> Bools:
    """[N * FRAME_SAMPLES] -> [N]: which 40 ms frames are above -60 dBFS (RMS)."""
    frames = pcm.reshape(-1, FRAME_SAMPLES)
    power = np.einsum("ij,ij->i", frames, frames)
    return power > FRAME_SAMPLES * QUIETEST_RMS**2
