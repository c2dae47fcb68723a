"""What is no number is silence: one NaN would otherwise stay in a leg's caches for good."""

from __future__ import annotations

from math import isfinite

import numpy as np

from streamtrace.values import Float32s


@np.errstate(over="ignore")
def finite(pcm: Float32s) -> Float32s:
    """[T] -> [T]; the very same array where all samples are numbers, as they nearly always are."""
    # One product is much cheaper than a look at every sample, and carries any NaN or infinity.
    if isfinite(pcm.dot(pcm)) or np.isfinite(pcm).all():
        return pcm
    return np.nan_to_num(pcm, nan=0.0, posinf=0.0, neginf=0.0)
