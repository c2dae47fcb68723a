"""Intervals against tables of Clopper and Pearson."""

from __future__ import annotations

import pytest

from trainer.binomial import clopper_pearson


@pytest.mark.parametrize(
    ("reached", "calls", "least", "most"),
    [(0, 100, 0.0, 0.0362), (1, 100, 0.00025, 0.0545), (10, 10, 0.6915, 1.0)],
)
def test_intervals_are_those_of_clopper_and_pearson(
    reached: int, calls: int, least: float, most: float
) -> None:
    assert clopper_pearson(reached, calls) == pytest.approx((least, most), abs=1e-4)
