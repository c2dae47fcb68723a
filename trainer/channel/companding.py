"""G.711: the two companding laws as tables of all 16-bit samples, fast enough for every batch."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from streamtrace.values import Float32s
from trainer.channel.packets import as_int16


def quantised(pcm: Float32s, table: npt.NDArray[np.float32]) -> Float32s:
    """Each sample as a companding law returns it: one look-up in a table of all 16-bit values."""
    return table[as_int16(pcm).view(np.uint16)]


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
