"""The form of what benchmarks say: ratios with their spread, series, and slopes."""

from __future__ import annotations

import json
import math

from benchmarks.line_fit import fit_slope
from benchmarks.report import Measured, Report, as_markdown, ratio_of


def test_a_ratio_of_rounds_has_its_spread_beside_it() -> None:
    ratio = ratio_of(Measured([10, 30], "ms"), Measured([5, 10], "ms"))
    report = Report("capacity", {}, {"cost": Measured([5, 10], "ms")}, {"peer": ratio, "own": 1.5})
    found = json.loads(json.dumps(report.as_json()))
    assert found["ratios"] == {"peer": 2.5, "own": 1.5}
    assert found["results"]["peer"] == {"median": 2.5, "min": 2.0, "max": 3.0, "unit": "x"}
    text = as_markdown(found)
    assert "| ratio `peer` | 2.50 | 2.00 | 3.00 | x |" in text
    assert "| ratio `own` | 1.50 | | | x |" in text
    assert text.count("`peer`") == 1


def test_rounds_that_came_to_nothing_have_no_ratio() -> None:
    assert ratio_of(Measured([1.0], "ms"), Measured([0.0], "ms")).values == []
    report = Report("soak", {}, {}, {"none": Measured([], "x")})
    assert report.as_json()["ratios"] == {"none": None}


def test_series_have_a_line_of_their_own() -> None:
    settings = {"calls": 3, "p99 by second": [1.0, None, 2_000.4], "curve": [{"calls": 3}]}
    text = as_markdown(Report("overload", settings, {}).as_json())
    assert "Settings: calls 3." in text
    assert "p99 by second: 1.00, -, 2,000" in text
    assert "curve" not in text


def test_a_slope_and_how_sure_it_is() -> None:
    exact = fit_slope([(at, 3.0 + 2.0 * at) for at in range(5)])
    assert math.isclose(exact.value, 2.0)
    assert exact.error < 1e-9
    flat = fit_slope([(0, 1.0), (1, -1.0), (2, -1.0), (3, 1.0)])
    assert flat.value == 0.0
    assert math.isclose(flat.error, math.sqrt(2 / 5))
    assert fit_slope([(0, 1.0)]).value == 0.0
    assert math.isinf(fit_slope([(0, 1.0), (1, 2.0)]).error)
