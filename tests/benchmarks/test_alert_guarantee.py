"""The guarantee's counting: intervals, what is a false alarm, and the tables."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.alert_guarantee import LEVELS, measure, outcome_of, summarise
from benchmarks.alert_tables import as_markdown, cell
from streamtrace.alerts.blocks import Block
from streamtrace.alerts.calibration import Band
from streamtrace.values import Segment
from tests.trainer.alert_fakes import path, simulated
from trainer.alert_calls import Kind
from trainer.alert_fit import Heard, Told


def test_an_alert_before_the_synthetic_voice_is_false_and_one_behind_it_has_a_delay() -> None:
    call = path(Kind.HAND_OVER, [0.0] * 40, change_ms=9_600)
    blocks = tuple(Block(Segment(at * 3_840, (at + 1) * 3_840, 3_000), 0.5) for at in range(5))
    told = Told(4.0, np.array([0.0, 1.0, 2.0, 3.0, 4.0]), blocks, (0, 0, 0, 11_520, 11_520))
    bars = [0.5, 2.5, 3.5, 9.0]
    found = outcome_of(Heard(call, blocks), 0, Kind.HAND_OVER, Band.WIDE, told, bars)
    assert found.early == (True, False, False, False)
    assert found.delay_s[0] is found.delay_s[3] is None
    assert found.delay_s[1] == pytest.approx((15_360 - 9_600) * 0.9 / 1_000, abs=0.1)
    assert found.dated_ms == (None, 1_920, 1_920, None)


def test_what_is_promised_is_kept_where_voices_are_alike_on_both_sides() -> None:
    paths = simulated(np.random.default_rng(2), voices=100)
    found = summarise(measure(paths, splits=2, least_s=0.0), paths)
    text = as_markdown(
        {
            **found,
            "machine": "m",
            "commit": "c",
            "settings": {"model": "x", "splits": 2, "bars_from_s": 30.0},
        }
        | {"baselines": {"human": {"verdict": cell(1, 10)}}, "bars_of_all_lengths": found}
    )
    assert "| wide, all lengths |" in text
    alarms = found["false_alarms"]
    assert isinstance(alarms, dict)
    row = alarms["wide, all lengths"]
    for level in LEVELS[1:]:
        assert row[f"{100 * level:g}"]["rate"] <= 100 * level + 4
    detections = found["detections"]
    assert isinstance(detections, dict)
    assert detections["synthetic, wide"]["10"]["found"] > 40
    assert detections["hand-over, wide"]["10"]["dated_near"] > 60
