"""The loss meter answers for the position asked about."""

from __future__ import annotations

from streamtrace.audio.loss import LossMeter
from streamtrace.audio.steps import Gap


def test_nothing_lost() -> None:
    assert LossMeter().lost_before(1000) == 0


def test_a_gap_counts_as_far_as_the_position_reaches() -> None:
    meter = LossMeter()
    meter.add(Gap(100, 200))
    meter.add(Gap(500, 900))
    asked = (50, 100, 150, 200, 300, 600, 900, 5000)
    assert [meter.lost_before(at) for at in asked] == [0, 0, 50, 100, 100, 200, 500, 500]
