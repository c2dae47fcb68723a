"""Telephone and transport codecs as channels: audio in, the same audio as the far end hears it.

A codec is never what makes a voice synthetic; both labels go through all of them alike.
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from streamtrace.values import SAMPLE_RATE_HZ, Float32s
from trainer.rates import HAS_SOXR, fitted, resample

log = logging.getLogger(__name__)

NARROW_HZ = 8_000
HAS_AV = importlib.util.find_spec("av") is not None
if not (HAS_SOXR and HAS_AV):
    log.warning(
        "soxr %s, PyAV %s: what needs the missing one is left out of the augmentation",
        "found" if HAS_SOXR else "missing",
        "found" if HAS_AV else "missing",
    )


def quantised(pcm: Float32s, table: npt.NDArray[np.float32]) -> Float32s:
    """Each sample as a companding law returns it: one look-up in a table of all 16-bit values."""
    return table[np.clip(pcm * 32768.0, -32768, 32767).astype(np.int16).view(np.uint16)]


def _law_table(levels: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """For every 16-bit sample (as unsigned index) the nearest of the law's levels, in [-1, 1)."""
    ordered = np.sort(np.concatenate([levels, -levels]))
    edges = (ordered[1:] + ordered[:-1]) / 2
    samples = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.float64)
    return (ordered[np.searchsorted(edges, samples)] / 32768).astype(np.float32)


def _mulaw_levels() -> npt.NDArray[np.float64]:
    code = np.arange(128)
    exponent, mantissa = code >> 4, code & 15
    return (((mantissa << 3) + 132) << exponent).astype(np.float64) - 132


def _alaw_levels() -> npt.NDArray[np.float64]:
    code = np.arange(128)
    exponent, mantissa = code >> 4, code & 15
    linear = (mantissa << 4) + 8
    return np.where(exponent == 0, linear, (linear + 256) << np.maximum(exponent - 1, 0)).astype(
        np.float64
    )


MULAW = _law_table(_mulaw_levels())
ALAW = _law_table(_alaw_levels())


def narrow_band(pcm: Float32s, inner: Callable[[Float32s], Float32s]) -> Float32s:
    """Down to 8 kHz, through `inner`, and back up as a receiver resamples: [T] -> [T]."""
    at_8k = inner(resample(pcm, SAMPLE_RATE_HZ, NARROW_HZ, quality="LQ"))
    return fitted(resample(at_8k, NARROW_HZ, SAMPLE_RATE_HZ), pcm.size)


def mulaw_call(pcm: Float32s) -> Float32s:
    """A G.711 mu-law telephone call."""
    return narrow_band(pcm, lambda narrow: quantised(narrow, MULAW))


def alaw_call(pcm: Float32s) -> Float32s:
    """A G.711 A-law telephone call."""
    return narrow_band(pcm, lambda narrow: quantised(narrow, ALAW))


def can_encode(codec: str) -> bool:
    """Whether PyAV is there and its FFmpeg has that encoder."""
    if not HAS_AV:
        return False
    import av

    try:
        av.Codec(codec, "w")
    except ValueError:
        return False
    return True
