"""Paced legs through a small model: every step runs, and its cost is attributed."""

from __future__ import annotations

import pytest

from benchmarks.engine_cost import measure_engine
from benchmarks.paced import CountingRunner, cut_voice, pace_engine
from benchmarks.report import Measured
from streamtrace.encoder.batcher import Encoder
from streamtrace.encoder.runner import CpuRunner
from tests.bundles import tiny_model
from tests.engines import voice


async def test_each_leg_has_a_step_every_240_ms() -> None:
    runner = CountingRunner(CpuRunner(tiny_model().bundle, slots=4))
    async with Encoder(runner, slots=4, workers=1) as encoder:
        made = await pace_engine(encoder, runner, [cut_voice(voice(3.0), 12)], 4, 0.48)
        assert encoder.slots_in_use == 0
    assert made.legs == 4
    assert len(made.latency_ms) == 4 * 2  # two steps each were due while it was measured
    assert made.rows >= made.batches > 0
    assert sum(runner.batches) >= 4 * 6  # a second to settle in front of them


async def test_what_is_measured_stands_under_the_keys_of_the_report() -> None:
    bundle = tiny_model().bundle
    cost = await measure_engine(
        bundle, [1, 3], seconds=0.48, repetitions=2, with_peers=False, pacing_s=0.24
    )
    found = cost.results()
    assert found["state_bytes_per_leg"].values == [CpuRunner(bundle, slots=1).state_bytes_per_row]
    for key in ("engine_cpu_ms_per_call_s", "engine_cpu_ms_per_call_s_at_1"):
        assert len(found[key].values) == 2
        assert min(found[key].values) > 0
    assert cost.ratios() == {}


async def test_peers_are_set_against_us_round_by_round() -> None:
    cost = await measure_engine(
        tiny_model().bundle, [1], seconds=0.48, repetitions=1, with_peers=False, pacing_s=0.24
    )
    (ours,) = cost.cpu_ms_per_call_s(1).values
    cost.peers = {
        "aasist": Measured([10 * ours], "ms"),
        "reencode": Measured([6.0], "ms"),
        "cached_step": Measured([2.0], "ms"),
    }
    ratios = cost.ratios()
    assert ratios["aasist_sliding_window"].values == [pytest.approx(10)]
    assert ratios["reencode_window"].values == [3.0]
