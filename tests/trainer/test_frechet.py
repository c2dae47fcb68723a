"""Fréchet distances: the closed form, and what a shift of pages looks like beside its floor."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import sqrtm

from tests.trainer.trees import row
from trainer.frechet import drifts, frechet_distance, pooled_drifts


def test_it_is_the_textbooks_formula() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(90, 5)), rng.normal(size=(70, 5)) @ rng.normal(size=(5, 5)) + 1
    of_a, of_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    cross = np.trace(of_a + of_b - 2 * np.real(sqrtm(of_a @ of_b)))
    want = ((a.mean(0) - b.mean(0)) ** 2).sum() + cross
    assert frechet_distance(a, b) == pytest.approx(want, rel=1e-6)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(a, a + 2) == pytest.approx(4 * 5, rel=1e-6)


def test_fewer_clips_than_dimensions_are_no_obstacle() -> None:
    a = np.random.default_rng(1).normal(size=(12, 40))
    assert frechet_distance(a, a + 1) == pytest.approx(40, rel=1e-5)


def test_a_shift_of_pages_stands_out_from_its_floor_and_none_does_not() -> None:
    rng = np.random.default_rng(2)
    rows = [row(source="a") for _ in range(40)] + [row(source="b") for _ in range(40)]
    rows += [row(source="c")] * 3
    train, test = (rng.normal(size=(83, 4)).astype(np.float32) for _ in range(2))
    test[40:80] += 3.0
    found = {drift.of: drift for drift in drifts(train, rows, test, rows)}
    assert set(found) == {"synthetic", "a", "b"}  # of `c` there is too little
    assert found["b"].moved > 10 * found["b"].floor
    assert found["a"].moved < 3 * found["a"].floor
    assert found["b"].clips == 40


def test_prompts_engines_and_pairs_are_other_clouds() -> None:
    rows = [
        *[row(label="bonafide", family="human", source="bonafide", origin="prompts:es")] * 20,
        *[row(family="classical-diphone")] * 20,
        *[row(origin="pairs:world", original_sha256="1" * 64)] * 20,
    ]
    points = np.zeros((60, 2), np.float32)
    assert drifts(points, rows, points, rows) == []


def test_folds_are_averaged_by_name() -> None:
    rng = np.random.default_rng(3)
    rows = [row(source="a") for _ in range(30)]
    ends = (rng.normal(size=(30, 2)).astype(np.float32), np.ones((30, 2), np.float32))
    begin = rng.normal(size=(30, 2)).astype(np.float32)
    one, other = (drifts(begin, rows, end, rows) for end in ends)
    table = {line["of"]: line for line in pooled_drifts([one, other])}
    assert table["a"]["folds"] == 2
    both = [drift.moved for fold in (one, other) for drift in fold if drift.of == "a"]
    assert table["a"]["moved"] == pytest.approx(np.mean(both))


def test_dimensions_in_which_nothing_lies_change_nothing() -> None:
    """More of them than clips, so that the distance is computed the other way."""
    random = np.random.default_rng(4)
    a, b = random.normal(size=(30, 5)), random.normal(size=(25, 5)) + 0.4
    wide = [np.pad(x, ((0, 0), (0, 60))) for x in (a, b)]
    assert frechet_distance(*wide) == pytest.approx(frechet_distance(a, b))
