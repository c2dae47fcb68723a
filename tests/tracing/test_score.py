"""The heads compute what the bundle's tensors say."""

from __future__ import annotations

import numpy as np
import pytest

from streamtrace.errors import BundleError
from streamtrace.tracing.ensemble import Ensemble
from streamtrace.tracing.score import LEARNED_SHARE, Heads
from tests import builders

TENSORS = builders.head_tensors(dim=8, size=6, sources=5, families=3)
WITH_SIGNATURE = builders.ensemble_tensors(dim=8, signature=3, size=6, sources=5, families=3)


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


def test_the_signature_is_the_last_columns_of_both_halves() -> None:
    """Conformer width 8, signature 3: each part goes to its members, cosines are averaged."""
    heads = Heads.from_tensors(WITH_SIGNATURE)
    rng = np.random.default_rng(2)
    mean = rng.standard_normal((4, 11)).astype(np.float32)
    deviation = np.abs(rng.standard_normal((4, 11))).astype(np.float32)
    assert (heads.width, heads.size) == (11, 6 + 3 * 4)
    got = heads.scores(np.concatenate([mean, deviation], axis=1))

    learned = Heads.from_tensors(TENSORS).scores(
        np.concatenate([mean[:, :8], deviation[:, :8]], axis=1)
    )
    ensemble = Ensemble.from_tensors(WITH_SIGNATURE, sources=5, families=3)
    said = ensemble(np.concatenate([mean[:, 8:], deviation[:, 8:]], axis=1))
    for name in ("spoof_logit", "source_logits", "family_logits"):
        assert np.array_equal(getattr(got, name), getattr(learned, name))
    assert np.array_equal(got.signature_spoof, said.spoof_logit)
    assert np.array_equal(got.signature_sources, said.source_logits)
    assert np.array_equal(got.signature_families, said.family_logits)
    assert np.allclose(np.linalg.norm(got.embedding, axis=1), 1, atol=1e-5)
    cosines = [e[0] @ e[1] for e in (learned.embedding, said.embedding)]
    together = LEARNED_SHARE * cosines[0] + (1 - LEARNED_SHARE) * cosines[1]
    assert got.embedding[0] @ got.embedding[1] == pytest.approx(together, abs=1e-5)


def test_without_a_signature_its_scores_are_zero() -> None:
    got = Heads.from_tensors(TENSORS).scores(np.ones((2, 16), np.float32))
    assert not got.signature_spoof.any()
    assert got.signature_sources.shape == got.source_logits.shape
    assert got.signature_families.shape == got.family_logits.shape
    assert not got.signature_sources.any()
    assert not got.signature_families.any()


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
