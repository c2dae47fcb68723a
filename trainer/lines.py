"""The lines that clips are judged on: deterministic, the same for both labels."""

from __future__ import annotations

import numpy as np
import soxr

from streamtrace.audio.g711 import decode_mulaw, encode_mulaw
from streamtrace.values import SAMPLE_RATE_HZ, Float32s

LINES = ("clean", "g711")
EVALUATION_LINES = LINES


def over_line(pcm: Float32s, line: str, seed: int = 0) -> Float32s:
    """A clip as it arrives over `line`: as it is, or through 8 kHz and mu-law (ITU-T G.711)."""
    if line == "clean":
        return pcm
    if line == "g711":
        narrow = np.asarray(soxr.resample(pcm, SAMPLE_RATE_HZ, 8000), np.float32)
        heard = decode_mulaw(encode_mulaw(np.clip(narrow, -1, 1)))
        return np.asarray(soxr.resample(heard, 8000, SAMPLE_RATE_HZ), np.float32)
    raise ValueError(f"{line!r}: no such line; known: {', '.join(LINES)}")
