"""The energy gate lets speech pass and an idle line not."""

from __future__ import annotations

import numpy as np
import pytest

from streamtrace.audio.activity import loud_frames
from streamtrace.values import FRAME_SAMPLES, STEP_SAMPLES


@pytest.mark.parametrize(
    ("dbfs", "loud"), [(-20, True), (-59.5, True), (-60.5, False), (-90, False)]
)
def test_the_gate_stands_at_minus_60_dbfs(dbfs: float, loud: bool) -> None:
    pcm = np.full(STEP_SAMPLES, 10 ** (dbfs / 20), np.float32)
    assert loud_frames(pcm).tolist() == [loud] * 6


def test_each_frame_is_judged_alone() -> None:
    pcm = np.zeros(STEP_SAMPLES, np.float32)
    pcm[2 * FRAME_SAMPLES : 3 * FRAME_SAMPLES] = 0.1
    assert loud_frames(pcm).tolist() == [False, False, True, False, False, False]
