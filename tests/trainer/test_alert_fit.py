"""A calibration from simulated calls finds what they were made with."""

from __future__ import annotations

import numpy as np
import pytest

from streamtrace.alerts.calibration import Band
from tests.alerts.calls import CARRY, SCALE
from tests.trainer.alert_fakes import path, simulated
from trainer.alert_calls import Kind
from trainer.alert_fit import blocks_of, calibrate, chosen, fit_voices, replay


@pytest.fixture(scope="module")
def calls() -> dict[Kind, list]:
    paths = simulated(np.random.default_rng(1), voices=120)
    return {kind: chosen(paths, kind, Band.WIDE) for kind in Kind}


def test_levels_scale_and_carry_are_found(calls: dict[Kind, list]) -> None:
    voices = fit_voices(calls[Kind.HUMAN], calls[Kind.SYNTHETIC])
    assert float((voices.levels * voices.human).sum()) == pytest.approx(-2, abs=0.4)
    assert float((voices.levels * voices.synthetic).sum()) == pytest.approx(3, abs=0.4)
    assert voices.scale == pytest.approx(SCALE, rel=0.25)
    assert voices.carry == pytest.approx(CARRY, abs=0.25)


def test_every_voice_is_a_group_and_bars_fall(calls: dict[Kind, list]) -> None:
    of_band = calibrate(calls[Kind.HUMAN], calls[Kind.SYNTHETIC], least_s=0.0)
    assert of_band.groups == 120
    assert of_band.bars.steps[0][0] == pytest.approx(1 / 121)
    found = [replay(of_band.voices, call.blocks).maximum for call in calls[Kind.SYNTHETIC]]
    assert np.mean(np.array(found) >= of_band.bars.at(0.05)) > 0.5


def test_windows_become_blocks_by_the_engine_s_own_rule() -> None:
    blocks = blocks_of(path(Kind.HUMAN, [0.0] * 40))
    assert [block.segment.end_ms for block in blocks] == [1_920, 5_760, 9_600, 13_440, 17_280]
