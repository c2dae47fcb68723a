"""A short soak of a small model: what it measures is there, and the last windows are right."""

from __future__ import annotations

import math

from benchmarks.soak import MINUTE_STEPS, Soak, hold_long_call, receptive_steps, summarise
from tests.bundles import default_bundle, tiny_model


async def test_a_long_call_ends_as_one_that_began_a_minute_ago() -> None:
    soak = await hold_long_call(tiny_model().bundle, 200.0)
    assert [len(one) for one in (soak.first_ms, soak.last_ms, soak.young_ms)] == 3 * [MINUTE_STEPS]
    assert soak.difference < 1e-4
    found = summarise(soak, {}).as_json()
    assert found["ratios"]["step_time_last_over_first"] > 0
    assert math.isfinite(found["results"]["rss_slope_bytes_per_hour"]["max"])


def test_growth_and_slowing_down_show() -> None:
    soak = Soak([1.0] * MINUTE_STEPS, [3.0] * MINUTE_STEPS, [2.0] * MINUTE_STEPS)
    soak.sizes = [(60.0 * minute, 1e6 + 100.0 * minute) for minute in range(120)]
    found = summarise(soak, {}).as_json()
    assert found["ratios"] == {
        "step_time_last_over_first": 3.0,
        "step_time_last_over_new_call": 1.5,
    }
    assert found["results"]["rss_slope_bytes_per_hour"]["median"] == 6000


def test_the_receptive_field_counts_every_layer() -> None:
    assert receptive_steps(tiny_model().bundle) == 2 * (3 + 1) + 2
    assert receptive_steps(default_bundle()) == 2 * (8 + 2) + 2
