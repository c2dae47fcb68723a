"""The heads compute what the bundle's tensors say."""

from __future__ import annotations

import numpy as np
import pytest

from streamtrace.errors import BundleError
from streamtrace.tracing.score import Heads
from tests import builders

TENSORS = builders.head_tensors(dim=8, size=6, sources=5, families=3)


def test_the_heads_follow_their_tensors() -> None:
    statistics = np.random.default_rng(1).standard_normal((4, 16)).astype(np.float32)
    got = Heads.from_tensors(TENSORS).scores(statistics)
    inner = (statistics - TENSORS["embed.mean"]) / TENSORS["embed.scale"]
    inner = inner @ TENSORS["embed.weight"].T + TENSORS["embed.bias"]
    unit = inner / np.linalg.norm(inner, axis=-1, keepdims=True)
    assert np.allclose(got.embedding, unit, atol=1e-5)
    spoof = inner @ TENSORS["spoof.weight"] + TENSORS["spoof.bias"]
    assert np.allclose(got.spoof_logit, spoof, atol=1e-4)
    assert np.allclose(got.source_logits, 8 * unit @ TENSORS["source.weight"].T, atol=1e-4)
    assert np.allclose(got.family_logits, 6 * unit @ TENSORS["family.weight"].T, atol=1e-4)


def test_any_leading_dimensions() -> None:
    heads = Heads.from_tensors(TENSORS)
    statistics = np.random.default_rng(1).standard_normal((2, 3, 16)).astype(np.float32)
    together = heads.scores(statistics)
    assert together.spoof_logit.shape == (2, 3)
    assert together.source_logits.shape == (2, 3, 5)
    alone = heads.scores(statistics[1, 2])
    assert np.allclose(together.source_logits[1, 2], alone.source_logits, atol=1e-5)
    assert np.allclose(together.spoof_logit[1, 2], alone.spoof_logit, atol=1e-5)


def test_an_embedding_without_direction_stays_finite() -> None:
    heads = Heads.from_tensors(
        TENSORS | {"embed.weight": np.zeros((6, 16)), "embed.bias": np.zeros(6)}
    )
    scores = heads.scores(np.zeros(16, np.float32))
    assert np.isfinite(scores.embedding).all()
    assert np.isfinite(scores.source_logits).all()


def test_widths() -> None:
    heads = Heads.from_tensors(TENSORS)
    assert (heads.width, heads.size) == (8, 6)


@pytest.mark.parametrize("name", [n for n in TENSORS if not n.startswith("gallery")])
def test_every_tensor_is_needed(name: str) -> None:
    with pytest.raises(BundleError, match=f"'{name}' is missing"):
        Heads.from_tensors({n: t for n, t in TENSORS.items() if n != name})


@pytest.mark.parametrize(
    ("name", "tensor", "message"),
    [
        ("embed.weight", np.ones((6, 15)), "takes 15 statistics; want an even number"),
        ("embed.scale", np.zeros(16), "'embed.scale' must be above 0"),
        ("embed.bias", np.zeros(5), r"'embed.bias' has shape \[5\]; want \[6\]"),
        ("source.weight", np.ones((5, 6)), "'source.weight' has rows whose length is not 1"),
    ],
)
def test_a_wrong_tensor_is_named(name: str, tensor, message: str) -> None:
    with pytest.raises(BundleError, match=message):
        Heads.from_tensors(TENSORS | {name: tensor})
