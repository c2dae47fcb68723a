"""Curves of naming what is known and refusing what is not, and the area under them."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.metrics import eer
from trainer.open_set import det_curve, oscr_curve, oscr_of, thinned

RNG = np.random.default_rng(2)
UNKNOWN = np.arange(80) % 4 == 0
KNOWN = ~UNKNOWN & (np.arange(80) % 5 != 0)  # the rest is human: neither
RIGHT = RNG.random(80) < 0.6
SURE = RNG.normal(size=80) + RIGHT - UNKNOWN


def test_the_area_is_that_under_the_curve() -> None:
    area = oscr_of(SURE, RIGHT, KNOWN, UNKNOWN)(np.ones((1, 80)))[0]
    passed, named = np.array(oscr_curve(SURE, RIGHT, KNOWN, UNKNOWN)).T
    assert area == pytest.approx(np.trapezoid(named, passed))
    assert area <= RIGHT[KNOWN].mean()


def test_counts_weigh_clips_and_a_perfect_refusal_costs_nothing() -> None:
    twice = np.repeat(np.arange(80), 2)
    one = oscr_of(SURE, RIGHT, KNOWN, UNKNOWN)(np.full((1, 80), 2.0))[0]
    other = oscr_of(SURE[twice], RIGHT[twice], KNOWN[twice], UNKNOWN[twice])(np.ones((1, 160)))[0]
    assert one == pytest.approx(other)
    refusing = oscr_of(-UNKNOWN.astype(float), RIGHT, KNOWN, UNKNOWN)(np.ones((1, 80)))[0]
    assert refusing == pytest.approx(RIGHT[KNOWN].mean())


def test_misses_and_alarms_meet_at_the_equal_error_rate() -> None:
    positive = RNG.random(2000) < 0.5
    scores = RNG.normal(size=2000) + positive
    alarms, misses = np.array(det_curve(scores, positive)).T
    at = np.abs(alarms - misses).argmin()
    assert (alarms[at] + misses[at]) / 2 == pytest.approx(eer(scores, positive), abs=0.01)
    assert (alarms[0], misses[0], alarms[-1], misses[-1]) == (0, 1, 1, 0)


def test_thinning_keeps_both_ends() -> None:
    points = thinned(np.arange(1000.0), np.arange(1000.0), most=50)
    assert len(points) == 50
    assert (points[0], points[-1]) == ((0, 0), (999, 999))
