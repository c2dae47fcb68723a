"""From a score to log-odds that mean what they say, cautious while little was heard."""

from __future__ import annotations

import numpy as np

from streamtrace.tracing.logits import Floats


def log_odds(
    score: Floats, speech_s: Floats, *, bias: float, half_s: float, slope: float = 1.0
) -> Floats:
    """[...], [...] -> [...]: an affine map, shrunk towards 0 when speech is short.

    After `half_s` seconds of speech half of the log-odds is believed; without speech, nothing.
    """
    believed = speech_s / np.maximum(speech_s + half_s, 1e-9)
    return (slope * score + bias) * believed
