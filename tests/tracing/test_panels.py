"""Panels are the matrix that they were cut from."""

from __future__ import annotations

import numpy as np
import pytest

from streamtrace.tracing.panels import COLUMNS, Panels


@pytest.mark.parametrize("width", [1, COLUMNS - 1, COLUMNS, COLUMNS + 1, 100])
@pytest.mark.parametrize("leading", [(), (1,), (5,), (2, 3)])
def test_a_product_is_the_matrix_product(width: int, leading: tuple[int, ...]) -> None:
    rng = np.random.default_rng(width)
    matrix = rng.standard_normal((7, width)).astype(np.float32)
    rows = rng.standard_normal((*leading, 7)).astype(np.float32)
    found = rows @ Panels.of(matrix)
    assert found.shape == (*leading, width)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, rows @ matrix, atol=1e-5)


def test_its_shape_is_known() -> None:
    panels = Panels.of(np.ones((3, 40), np.float32))
    assert (panels.depth, panels.width) == (3, 40)
