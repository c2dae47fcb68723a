"""Bars from whole calls: the share of voices that reach them, and what a file may not hold."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from streamtrace.alerts.calibration import (
    Band,
    BandCalibration,
    Bars,
    Calibration,
    conformal_bars,
)
from streamtrace.errors import BundleError
from tests.alerts import calls


def calibration() -> Calibration:
    bars = Bars(((0.01, 3.0), (0.05, 1.0)))
    return Calibration(
        "model",
        "ab" * 32,
        "by hand",
        {band: BandCalibration(calls.voices(), bars, 99) for band in Band},
    )


def test_nobody_reaches_the_first_bar_and_one_voice_of_four_the_second() -> None:
    bars, groups = conformal_bars([("a", 1.0), ("b", 5.0), ("c", 2.0)], most_level=0.6)
    assert groups == 3
    assert [level for level, _ in bars.steps] == [0.25, 0.5]
    assert [bar for _, bar in bars.steps] == pytest.approx([5.0, 2.0], abs=2e-4)
    assert all(bar > maximum for (_, bar), maximum in zip(bars.steps, (5.0, 2.0), strict=True))


def test_a_voice_with_many_calls_weighs_no_more_than_one_with_one() -> None:
    many = [("a", float(x)) for x in range(10, 20)]
    bars, groups = conformal_bars([*many, ("b", 1.0)], most_level=0.7)
    assert groups == 2
    assert bars.steps[0][0] == pytest.approx(1 / 3)
    assert bars.steps[1][0] == pytest.approx(1 / 3 + 1 / 30)
    assert bars.at(0.66) == pytest.approx(10, abs=1e-3)


@pytest.mark.laws
@pytest.mark.parametrize("level", [0.05, 0.1, 0.2])
def test_the_next_call_s_voice_reaches_a_bar_as_rarely_as_promised(level: float) -> None:
    rng = np.random.default_rng(1)
    reached = 0
    draws = 2_000
    for _ in range(draws):
        maxima = rng.standard_cauchy(60)  # heavy tails: nothing is assumed of them
        bars, _ = conformal_bars([(str(i), float(x)) for i, x in enumerate(maxima[:-1])])
        reached += maxima[-1] >= bars.at(level)
    assert level - 1 / 60 - 0.02 <= reached / draws <= level + 0.02


def test_levels_beyond_what_the_voices_can_show_take_the_larger_of_both_bounds() -> None:
    assert Bars(((0.01, 3.0), (0.05, 1.0))).at(0.001) == pytest.approx(math.log(1_000))
    assert Bars(((0.01, 9.0), (0.05, 1.0))).at(0.001) == 9.0
    assert Bars(((0.01, 3.0), (0.05, 1.0))).at(0.04) == 3.0
    assert Bars(((0.01, 3.0), (0.05, 1.0))).at(0.2) == 1.0


def test_what_is_written_is_read() -> None:
    written = json.loads(json.dumps(calibration().to_dict()))
    assert Calibration.from_dict(written).to_dict() == written


def test_telephone_lines_are_narrow() -> None:
    assert [Band.of(hz) for hz in (8_000, 16_000, 48_000)] == [Band.NARROW, Band.WIDE, Band.WIDE]


VOICES = ("bands", "wide", "voices")


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("format",), 2, "format=2: this version reads 1"),
        (("bands",), None, "want a table `bands`"),
        (("bands",), {"wide": {}}, "bands.narrow is missing"),
        (("bands", "wide"), 3, "bands.wide: want a table"),
        (("bands", "wide", "groups"), 0, "bands.wide.groups=0: want how many voices"),
        (("bands", "wide", "groups"), True, "bands.wide.groups=True"),
        (("bands", "wide", "bars"), [], "bands.wide.bars: want one pair at least"),
        (("bands", "wide", "bars"), [[1]], "bands.wide.bars: want pairs"),
        (("bands", "wide", "bars"), [[0.1, 1], [0.05, 0]], "want levels that rise"),
        (("bands", "wide", "bars"), [[0.1, 1], [0.2, 2]], "bars that fall"),
        (("bands", "wide", "bars"), [[0.1, float("inf")]], "all finite"),
        (VOICES, 3, "voices: want a table"),
        ((*VOICES, "levels"), "abc", r"voices.levels='abc': want a list of numbers"),
        ((*VOICES, "levels"), [1.0], "want two numbers or more, rising"),
        ((*VOICES, "levels"), [2.0, 1.0], "want two numbers or more, rising"),
        ((*VOICES, "human"), [1.0], "voices.human: want a share above 0 for each level"),
        ((*VOICES, "synthetic"), [0.0] * 61, "voices.synthetic: want a share above 0"),
        ((*VOICES, "scale"), 0, r"voices.scale=0.0: want"),
        ((*VOICES, "scale"), None, r"voices.scale=None: want a finite number"),
        ((*VOICES, "carry"), 1.0, r"voices.carry=1.0: want -1.0 or more and less than 1.0"),
        ((*VOICES, "change"), -0.1, r"voices.change=-0.1: want 0.0"),
    ],
)
def test_what_cannot_be_is_named(path: tuple[str, ...], value: object, message: str) -> None:
    raw: dict[str, Any] = json.loads(json.dumps(calibration().to_dict()))
    place: Any = raw
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(BundleError, match=message):
        Calibration.from_dict(raw)
