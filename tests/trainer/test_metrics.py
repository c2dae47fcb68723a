"""Figures against their definitions and against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st
from sklearn.metrics import roc_auc_score

from trainer.metrics import (
    auroc,
    by_page,
    calibration_error,
    eer,
    fpr_at_recall,
    macro_recall,
    top_k,
)


@given(st.integers(0, 10_000), st.floats(-1, 2))
def test_auroc_is_scikit_learns_also_with_ties(seed: int, lead: float) -> None:
    rng = np.random.default_rng(seed)
    positive = np.append(rng.random(60) < 0.4, [True, False])
    scores = np.round(rng.normal(size=62) + lead * positive, 1)
    assert auroc(scores, positive) == pytest.approx(roc_auc_score(positive, scores))


@pytest.mark.parametrize(
    ("scores", "positive", "want"),
    [
        ([1, 2, 3, 4], [0, 0, 1, 1], 0.0),
        ([4, 3, 2, 1], [0, 0, 1, 1], 1.0),
        ([1, 1, 1, 1], [0, 0, 1, 1], 0.5),
        ([1, 3, 2, 4], [0, 0, 1, 1], 0.5),
    ],
)
def test_eer_of_small_cases(scores: list[float], positive: list[int], want: float) -> None:
    assert eer(np.array(scores, float), np.array(positive, bool)) == pytest.approx(want)


@given(st.integers(0, 10_000))
def test_eer_of_noise_is_a_half_and_flipping_mirrors_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    positive = np.arange(400) % 2 == 0
    scores = rng.normal(size=400)
    value = eer(scores, positive)
    assert 0.35 < value < 0.65
    assert eer(-scores, positive) == pytest.approx(1 - value, abs=0.01)


def test_one_sided_sets_have_no_figure() -> None:
    none = np.zeros(3, bool)
    assert np.isnan(auroc(np.zeros(3), none))
    assert np.isnan(eer(np.zeros(3), none))
    assert np.isnan(fpr_at_recall(np.zeros(3), none))
    assert np.isnan(top_k(np.zeros((0, 2)), np.zeros(0, np.int64), 1))


def test_top_k_and_macro_recall_count_what_they_say() -> None:
    shares = np.array([[0.7, 0.2, 0.1], [0.6, 0.3, 0.1], [0.5, 0.2, 0.3]])
    truth = np.array([0, 1, 2])
    assert top_k(shares, truth, 1) == pytest.approx(1 / 3)
    assert top_k(shares, truth, 2) == 1.0
    assert macro_recall(shares, np.array([0, 0, 2])) == pytest.approx(0.5)


def test_calibration_error_is_zero_for_an_honest_forecast_and_large_for_a_boast() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(20_000)
    happened = rng.random(20_000) < p
    assert calibration_error(p, happened) < 0.02
    assert calibration_error(np.full(100, 0.99), np.zeros(100, bool)) == pytest.approx(0.99)


def test_the_interval_is_drawn_over_pages_not_clips() -> None:
    # Two pages that disagree entirely: whoever resamples clips finds a narrow interval, wrongly.
    value = np.repeat([0.0, 1.0], 500)
    pages = ["a"] * 500 + ["b"] * 500
    figure = by_page(lambda rows: float(value[rows].mean()), pages)
    assert (figure.value, figure.low, figure.high) == (0.5, 0.0, 1.0)
    assert str(figure) == "50.0 [0.0, 100.0]"
