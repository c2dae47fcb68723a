"""Wrong tensors are refused by name."""

from __future__ import annotations

import numpy as np
import pytest

from streamtrace.errors import BundleError
from streamtrace.tracing.tensors import float_tensor, unit_rows

TENSORS = {
    "a": np.ones((2, 3), np.float64),
    "empty": np.ones((0, 3), np.float32),
    "nan": np.array([np.nan], np.float32),
    "unit": np.array([[0.6, 0.8001], [1.0, 0.0]], np.float32),
}


def test_a_tensor_comes_as_float32() -> None:
    assert float_tensor(TENSORS, "a", (None, 3)).dtype == np.float32


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("b", (1,), "tensor 'b' is missing"),
        ("a", (2,), r"'a' has shape \[2, 3\]; want \[2\]"),
        ("a", (None, 4), r"'a' has shape \[2, 3\]; want \[any, 4\]"),
        ("empty", (None, 3), r"'empty' has shape \[0, 3\]"),
        ("nan", (1,), "'nan' holds numbers that are not finite"),
    ],
)
def test_what_is_wrong_is_named(name: str, shape: tuple[int | None, ...], message: str) -> None:
    with pytest.raises(BundleError, match=message):
        float_tensor(TENSORS, name, shape)


def test_only_rounding_is_mended() -> None:
    rows = unit_rows(TENSORS, "unit", (None, 2))
    assert np.allclose(np.linalg.norm(rows, axis=-1), 1, atol=1e-6)
    with pytest.raises(BundleError, match="'a' has rows whose length is not 1"):
        unit_rows(TENSORS, "a", (None, 3))
