"""A trace model holds together, or says what does not fit."""

from __future__ import annotations

import numpy as np
import pytest

from streamtrace.errors import BundleError
from streamtrace.fusion.model import TraceModel
from streamtrace.values import ModelRef
from tests import builders


def test_it_answers_for_a_batch() -> None:
    model = builders.trace_model(dim=8, sources=7, families=2)
    statistics = np.random.default_rng(0).standard_normal((4, 16)).astype(np.float32)
    fused = model.answer(statistics, np.array([0, 40, 400, 4000]))
    assert model.width == 8
    assert fused.spoof_probability.shape == (4,)
    assert fused.attribution.shape == (4, 8)
    assert fused.families.shape == (4, 3)
    assert all(np.isfinite(fused.attribution).ravel())


@pytest.mark.parametrize(
    ("sources", "families", "message"),
    [
        (6, 3, "'source.weight' knows 5, the catalog 6"),
        (5, 4, "'family.weight' knows 3, the catalog 4"),
    ],
)
def test_catalog_and_heads_must_agree(sources: int, families: int, message: str) -> None:
    with pytest.raises(BundleError, match=message):
        TraceModel.from_tensors(
            ModelRef("m", ""),
            builders.catalog(sources, families),
            builders.head_tensors(sources=5, families=3),
            builders.fusion(),
            builders.policy(),
        )
