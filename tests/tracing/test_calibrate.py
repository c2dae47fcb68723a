"""Log-odds grow with the speech behind them."""

from __future__ import annotations

import numpy as np

from streamtrace.tracing.calibrate import log_odds


def test_the_affine_map_is_believed_by_how_much_was_heard() -> None:
    speech_s = np.array([0.0, 2.0, 6.0, 1e9])
    got = log_odds(np.full(4, 3.0), speech_s, slope=2.0, bias=-1.0, half_s=2.0)
    assert np.allclose(got, [0.0, 2.5, 3.75, 5.0])


def test_no_shrink_at_all_is_possible() -> None:
    got = log_odds(np.full(2, 3.0), np.array([0.0, 1.0]), bias=1.0, half_s=0.0)
    assert got.tolist() == [0.0, 4.0]
