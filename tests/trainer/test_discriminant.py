"""The linear discriminant against another implementation, and what it does without clips."""

from __future__ import annotations

import numpy as np
import pytest

from streamtrace.values import Float32s
from trainer.discriminant import ABSENT, discriminant


def clustered(counts: tuple[int, ...], seed: int = 0) -> tuple[Float32s, np.ndarray]:
    """[R, 1, 6] around one centre for each class, unevenly spread; the class of each row."""
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(len(counts)), counts)
    centres = rng.standard_normal((len(counts), 6))
    spread = rng.standard_normal((6, 6))
    x = 2 * centres[truth] + rng.standard_normal((len(truth), 6)) @ spread
    return x[:, None].astype(np.float32), truth


@pytest.mark.parametrize("counts", [(40, 40, 40, 40), (70, 40, 10)], ids=["even", "uneven"])
@pytest.mark.parametrize("shrinkage", [0.0, 0.3, 1.0])
def test_it_is_the_shrunken_linear_discriminant(counts: tuple[int, ...], shrinkage: float) -> None:
    sklearn = pytest.importorskip("sklearn.discriminant_analysis")
    x, truth = clustered(counts)
    weight, bias = discriminant(x, truth, len(counts), shrinkage=shrinkage)
    other = sklearn.LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage)
    other.fit(x[:, 0].astype(np.float64), truth)
    assert np.allclose(weight, other.coef_, atol=1e-4)
    assert np.allclose(bias, other.intercept_, atol=1e-4)


def test_versions_of_a_clip_are_clips() -> None:
    x, truth = clustered((30, 30))
    versions = np.concatenate([x, x[::-1]], axis=1)
    flat = versions.reshape(-1, 1, 6)
    one = discriminant(versions, truth, 2, shrinkage=0.2)
    other = discriminant(flat, np.repeat(truth, 2), 2, shrinkage=0.2)
    for a, b in zip(one, other, strict=True):
        assert np.allclose(a, b, atol=1e-6)


def test_classes_without_clips_are_never_said_and_change_nothing_else() -> None:
    x, truth = clustered((30, 30))
    alone = discriminant(x, truth, 2, shrinkage=0.2)
    weight, bias = discriminant(x, np.where(truth == 1, 3, truth), 5, shrinkage=0.2)
    assert not weight[[1, 2, 4]].any()
    assert bias[[1, 2, 4]].tolist() == [ABSENT] * 3
    assert np.array_equal(weight[[0, 3]], alone[0])
    assert np.array_equal(bias[[0, 3]], alone[1])


def test_rows_without_a_class_take_no_part() -> None:
    x, truth = clustered((30, 30))
    more = np.concatenate([x, 100 + x])
    unknown = np.concatenate([truth, np.full(60, -1)])
    for a, b in zip(
        discriminant(more, unknown, 2, shrinkage=0.2),
        discriminant(x, truth, 2, shrinkage=0.2),
        strict=True,
    ):
        assert np.array_equal(a, b)


def test_nobody_known_says_nothing() -> None:
    x, truth = clustered((5,))
    weight, bias = discriminant(x, np.full_like(truth, -1), 3, shrinkage=0.2)
    assert weight.shape == (3, 6)
    assert not weight.any()
    assert bias.tolist() == [ABSENT] * 3
