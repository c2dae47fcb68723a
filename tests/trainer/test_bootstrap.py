"""Resampling by page: wide where pages rule, narrow where two figures share their luck."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.bootstrap import Figure, PageDraws, by_page, paired_by_page
from trainer.metrics import auroc, auroc_of, eer, eer_of, mean_of


def pages_of(clips: int, each: int) -> list[str]:
    return [f"page-{i // each}" for i in range(clips)]


def test_the_interval_is_drawn_over_pages_not_clips() -> None:
    # Two pages that disagree entirely: whoever resamples clips finds a narrow interval, wrongly.
    value = np.repeat([0.0, 1.0], 500)
    pages = ["a"] * 500 + ["b"] * 500
    figure = PageDraws(pages).figure(mean_of(value))
    assert (figure.value, figure.low, figure.high) == (0.5, 0.0, 1.0)
    assert str(figure) == "50.0 [0.0, 100.0]"
    assert by_page(lambda rows: float(value[rows].mean()), pages) == figure


def test_a_score_that_only_knows_its_page_gets_a_wide_interval() -> None:
    rng = np.random.default_rng(0)
    page = np.repeat(np.arange(16), 30)
    # Most clips of a page share a label, and the score names the page.
    positive = rng.random(480) < np.where(page % 2 == 0, 0.8, 0.2)
    score = rng.normal(size=16)[page]
    planted = PageDraws([f"{p}" for p in page]).figure(auroc_of(score, positive))
    shuffled = PageDraws([f"{i}" for i in range(480)]).figure(auroc_of(score, positive))
    assert planted.high - planted.low > 2.5 * (shuffled.high - shuffled.low)


def test_counts_and_row_indices_give_the_same_interval() -> None:
    rng = np.random.default_rng(1)
    positive = np.arange(120) % 3 == 0
    scores = np.round(rng.normal(size=120) + positive, 1)
    pages = pages_of(120, 10)
    for fast, slow in ((auroc_of, auroc), (eer_of, eer)):
        quick = PageDraws(pages, draws=60).figure(fast(scores, positive))
        plain = by_page(lambda i, f=slow: f(scores[i], positive[i]), pages, draws=60)
        assert (quick.value, quick.low, quick.high) == pytest.approx(
            (plain.value, plain.low, plain.high)
        )


def test_a_paired_interval_is_narrower_where_both_models_share_their_luck() -> None:
    rng = np.random.default_rng(2)
    pages = pages_of(600, 30)
    page = np.arange(600) // 30
    positive = np.arange(600) % 2 == 0
    hard = rng.normal(size=20)[page]  # how well the labels part on this page, for anybody
    first = rng.normal(size=600) + positive * (1 + hard)
    second = first + 0.1 * rng.normal(size=600) - 0.2 * positive
    a, b = auroc_of(first, positive), auroc_of(second, positive)
    paired = paired_by_page(a, b, pages)
    draws = PageDraws(pages)
    apart = draws.figure(a), PageDraws(pages, seed=1).figure(b)
    unpaired = np.hypot(*[f.high - f.low for f in apart])
    assert paired.value == pytest.approx(apart[0].value - apart[1].value)
    assert paired.high - paired.low < 0.3 * unpaired
    assert paired.excludes(0.0)
    assert not apart[0].excludes(apart[1].value)


def test_a_model_leads_itself_by_nothing() -> None:
    scores, positive = np.arange(40.0), np.arange(40) % 2 == 0
    figure = auroc_of(scores, positive)
    assert paired_by_page(figure, figure, pages_of(40, 5)) == Figure(0.0, 0.0, 0.0)


def test_draws_without_the_figure_are_left_out_and_none_at_all_leaves_no_interval() -> None:
    # One page holds every positive: a third of the draws miss it.
    positive = np.arange(30) < 10
    scores = np.where(positive, 1.0, 0.0)
    assert PageDraws(pages_of(30, 10)).figure(auroc_of(scores, positive)) == Figure(1.0, 1.0, 1.0)
    nothing = PageDraws(pages_of(30, 10)).figure(auroc_of(scores, np.zeros(30, bool)))
    assert np.isnan([nothing.value, nothing.low, nothing.high]).all()
    assert not nothing.excludes(0.5)
    assert np.isnan(PageDraws([]).figure(auroc_of(np.zeros(0), np.zeros(0, bool))).value)


def test_the_same_seed_draws_the_same_pages() -> None:
    value = np.random.default_rng(3).normal(size=100)
    a, b = (PageDraws(pages_of(100, 7), seed=5).figure(mean_of(value)) for _ in range(2))
    assert a == b
    assert a != PageDraws(pages_of(100, 7), seed=6).figure(mean_of(value))
