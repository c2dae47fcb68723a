"""Figures against their definitions, against brute force and against scikit-learn."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, strategies as st
from sklearn.metrics import f1_score, roc_auc_score, roc_curve

from trainer.bootstrap import Statistic
from trainer.metrics import (
    Costs,
    auroc,
    auroc_of,
    calibration_error,
    calibration_error_of,
    cllr,
    cllr_of,
    eer,
    eer_of,
    fpr_at_recall,
    fpr_at_recall_of,
    hits,
    macro_f1,
    macro_f1_of,
    macro_recall,
    macro_recall_of,
    mean_of,
    min_dcf,
    min_dcf_of,
    top_k,
)

Sample = tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]


def sample(seed: int, lead: float = 0.7, n: int = 62) -> Sample:
    """Scores with many ties, both labels present."""
    rng = np.random.default_rng(seed)
    positive = np.append(rng.random(n - 2) < 0.4, [True, False])
    return np.round(rng.normal(size=n) + lead * positive, 1), positive


@given(st.integers(0, 10_000), st.floats(-1, 2))
def test_auroc_is_scikit_learns_also_with_ties(seed: int, lead: float) -> None:
    scores, positive = sample(seed, lead)
    assert auroc(scores, positive) == pytest.approx(roc_auc_score(positive, scores))


@given(st.integers(0, 10_000), st.floats(-1, 2))
def test_eer_lies_on_scikit_learns_curve(seed: int, lead: float) -> None:
    scores, positive = sample(seed, lead)
    alarm, hit, _ = roc_curve(positive, scores, drop_intermediate=False)
    value = eer(scores, positive)
    at = int(np.argmax(alarm >= 1 - hit))
    between = (value - alarm[at - 1]) * (hit[at] - hit[at - 1])
    on_curve = hit[at - 1] * (alarm[at] - alarm[at - 1]) + between
    assert on_curve == pytest.approx((1 - value) * (alarm[at] - alarm[at - 1]), abs=1e-9)


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


@given(st.integers(0, 10_000), st.sampled_from([0.5, 0.9, 0.95, 1.0]))
def test_fpr_at_recall_is_the_first_point_of_the_curve_that_recalls_enough(
    seed: int, recall: float
) -> None:
    scores, positive = sample(seed)
    alarm, hit, _ = roc_curve(positive, scores, drop_intermediate=False)
    want = alarm[np.argmax(hit >= recall - 1e-9)]
    assert fpr_at_recall(scores, positive, recall) == pytest.approx(want)


def test_both_published_forms_of_fpr95_differ() -> None:
    # Two of twenty known clips look new; all five new ones look very new but one.
    novelty = np.array([0.0] * 18 + [5.0, 5.0] + [9.0, 9.0, 9.0, 9.0, 4.0])
    unknown = np.arange(25) >= 20
    # Threshold that keeps 95 % of the known: one of five new ones is let through.
    assert fpr_at_recall(-novelty, ~unknown) == pytest.approx(1 / 5)
    # Threshold that finds 95 % of the new ones: two of twenty known ones are flagged.
    assert fpr_at_recall(novelty, unknown) == pytest.approx(2 / 20)


@given(st.integers(0, 10_000), st.floats(0.1, 20), st.floats(0.02, 0.98))
def test_min_dcf_is_the_least_over_every_threshold(
    seed: int, false_alarm: float, prior: float
) -> None:
    scores, synthetic = sample(seed)
    costs = Costs(miss=1.0, false_alarm=false_alarm, spoof_prior=prior)
    blind = min(1 - prior, false_alarm * prior)
    tried = [
        (1 - prior) * (scores[~synthetic] >= t).mean()
        + false_alarm * prior * (scores[synthetic] < t).mean()
        for t in [*np.unique(scores), np.inf]
    ]
    assert min_dcf(scores, synthetic, costs) == pytest.approx(min(tried) / blind)


def test_min_dcf_by_default_is_asvspoof_5s() -> None:
    scores, synthetic = np.array([0.0, 1.0, 2.0, 3.0]), np.array([False, True, False, True])
    # Flag all but the lowest: half of the humans flagged at 0.95, nobody missed; blind costs 0.5.
    # Flag the highest alone: half of the synthetic missed at 10 * 0.05, which is the better.
    assert min_dcf(scores, synthetic) == pytest.approx(0.25 / 0.5)
    assert min_dcf(np.zeros(4), synthetic) == pytest.approx(1.0)


def test_cllr_of_silence_is_one_bit_and_of_confident_errors_many() -> None:
    positive = np.array([True, False, False])
    assert cllr(np.zeros(3), positive) == pytest.approx(1.0)
    assert cllr(np.array([9.0, -9.0, -9.0]), positive) < 0.001
    assert cllr(np.array([-9.0, 9.0, 9.0]), positive) > 10
    # Three negatives more of the same kind change nothing: the sides count even.
    assert cllr(np.array([1.0, 0.5]), np.array([True, False])) == pytest.approx(
        cllr(np.array([1.0, 0.5, 0.5, 0.5]), np.array([True, False, False, False]))
    )


@given(st.integers(0, 10_000))
def test_macro_f1_is_scikit_learns_over_the_classes_that_occur(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 5, 40)
    predicted = np.where(rng.random(40) < 0.6, truth, rng.integers(0, 8, 40))
    want = f1_score(
        truth, predicted, labels=np.unique(truth), average="macro", zero_division=np.nan
    )
    assert macro_f1(predicted, truth) == pytest.approx(want)


def test_top_k_and_macro_recall_count_what_they_say() -> None:
    shares = np.array([[0.7, 0.2, 0.1], [0.6, 0.3, 0.1], [0.5, 0.2, 0.3]])
    truth = np.array([0, 1, 2])
    assert top_k(shares, truth, 1) == pytest.approx(1 / 3)
    assert top_k(shares, truth, 2) == 1.0
    assert macro_recall(shares, np.array([0, 0, 2])) == pytest.approx(0.5)


def test_an_answer_that_says_nothing_finds_nothing() -> None:
    assert not hits(np.full((4, 9), 1 / 9), np.arange(4), 5).any()
    assert hits(np.full((4, 9), 1 / 9), np.arange(4), 9).all()


def test_calibration_error_is_zero_for_an_honest_forecast_and_large_for_a_boast() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(20_000)
    happened = rng.random(20_000) < p
    assert calibration_error(p, happened) < 0.02
    assert calibration_error(np.full(100, 0.99), np.zeros(100, bool)) == pytest.approx(0.99)


def test_one_sided_and_empty_sets_have_no_figure() -> None:
    for clips in (3, 0):
        none, scores = np.zeros(clips, bool), np.zeros(clips)
        for label in (none, ~none):
            assert np.isnan(auroc(scores, label))
            assert np.isnan(eer(scores, label))
            assert np.isnan(fpr_at_recall(scores, label))
            assert np.isnan(min_dcf(scores, label))
            assert np.isnan(cllr(scores, label))
    assert np.isnan(top_k(np.zeros((0, 2)), np.zeros(0, np.int64), 1))
    assert np.isnan(macro_f1(np.zeros(0, np.int64), np.zeros(0, np.int64)))
    assert np.isnan(calibration_error(np.zeros(0), np.zeros(0, bool)))


STATISTICS: dict[str, Callable[[Sample], Statistic]] = {
    "auroc": lambda s: auroc_of(*s),
    "eer": lambda s: eer_of(*s),
    "fpr": lambda s: fpr_at_recall_of(*s),
    "min_dcf": lambda s: min_dcf_of(*s),
    "cllr": lambda s: cllr_of(*s),
    "ece": lambda s: calibration_error_of(1 / (1 + np.exp(-s[0])), s[1]),
    "mean": lambda s: mean_of(*s),
    "recall": lambda s: macro_recall_of((s[0] > 0).astype(np.int64), s[1].astype(np.int64)),
    "f1": lambda s: macro_f1_of((s[0] > 0).astype(np.int64), s[1].astype(np.int64)),
}


@pytest.mark.parametrize("name", STATISTICS)
def test_a_clip_that_counts_thrice_is_three_clips(name: str) -> None:
    scores, positive = sample(4)
    counts = np.random.default_rng(5).integers(0, 4, (6, len(scores)))
    weighted = STATISTICS[name]((scores, positive))(counts.astype(float))
    for row, found in zip(counts, weighted, strict=True):
        repeated = np.repeat(scores, row), np.repeat(positive, row)
        once = STATISTICS[name](repeated)(np.ones((1, len(repeated[0]))))[0]
        assert found == pytest.approx(once)


@pytest.mark.parametrize("name", STATISTICS)
def test_without_a_clip_no_statistic_is_a_number(name: str) -> None:
    assert np.isnan(STATISTICS[name](sample(6))(np.zeros((2, 62)))).all()
