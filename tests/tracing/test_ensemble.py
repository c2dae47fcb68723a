"""The members on the signature say what a loop over them says, one at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from streamtrace.errors import BundleError
from streamtrace.tracing.ensemble import MOST_DEVIATIONS, Ensemble
from streamtrace.tracing.logits import log_softmax
from tests import builders

SOURCES, FAMILIES, STATISTICS = 5, 3, 8
TENSORS = builders.signature_tensors(STATISTICS, SOURCES, FAMILIES)


def made(**changes: npt.NDArray[Any]) -> Ensemble:
    """The test ensemble; `hidden_bias=...` stands for the tensor 'signature.hidden.bias'."""
    named = {f"signature.{name.replace('_', '.')}": tensor for name, tensor in changes.items()}
    return Ensemble.from_tensors(TENSORS | named, sources=SOURCES, families=FAMILIES)


def statistics(*shape: int, scale: float = 1.0, seed: int = 1) -> npt.NDArray[np.float32]:
    drawn = np.random.default_rng(seed).standard_normal((*shape, STATISTICS))
    return (scale * drawn).astype(np.float32)


def by_hand(row: npt.NDArray[np.float32]) -> tuple[npt.NDArray[Any], ...]:
    """Embedding, spoof, source and family scores of one row."""
    t = {name.removeprefix("signature."): tensor for name, tensor in TENSORS.items()}
    x = np.clip((row - t["mean"]) / t["scale"], -MOST_DEVIATIONS, MOST_DEVIATIONS)
    units, spoofs, sources, families = [], [], [], []
    for m in range(3):
        hidden = np.maximum(t["hidden.weight"][m] @ x + t["hidden.bias"][m], 0)
        inner = t["embed.weight"][m] @ hidden + t["embed.bias"][m]
        units.append(inner / np.linalg.norm(inner))
        spoofs.append(t["spoof.weight"][m, 0] @ inner + t["spoof.bias"][m, 0])
        sources.append(log_softmax(t["source.weight"][m] @ inner))
        families.append(log_softmax(t["family.weight"][m] @ inner))
    share = t["linear.share"][0]
    linear = [
        log_softmax(t[f"linear.{name}.weight"] @ x + t[f"linear.{name}.bias"])
        for name in ("source", "family")
    ]
    return (
        np.concatenate(units) / np.sqrt(3),
        np.mean(spoofs),
        np.mean(sources, axis=0) + share * linear[0],
        np.mean(families, axis=0) + share * linear[1],
    )


def test_it_is_a_loop_over_its_members() -> None:
    rows = statistics(6, scale=2.0)
    got = made()(rows)
    for i, row in enumerate(rows):
        said = (got.embedding[i], got.spoof_logit[i], got.source_logits[i], got.family_logits[i])
        for have, want in zip(said, by_hand(row), strict=True):
            assert np.allclose(have, want, atol=1e-5)


def test_any_leading_dimensions() -> None:
    ensemble = made()
    rows = statistics(2, 3)
    together, alone = ensemble(rows), ensemble(rows[1, 2])
    assert together.embedding.shape == (2, 3, ensemble.size)
    assert together.spoof_logit.shape == (2, 3)
    assert alone.spoof_logit.shape == ()
    assert np.allclose(together.spoof_logit[1, 2], alone.spoof_logit, atol=1e-6)
    assert np.allclose(together.source_logits[1, 2], alone.source_logits, atol=1e-6)
    assert np.allclose(together.family_logits[1, 2], alone.family_logits, atol=1e-6)
    assert np.allclose(together.embedding[1, 2], alone.embedding, atol=1e-6)
    assert ensemble(rows[:0]).source_logits.shape == (0, 3, SOURCES)


def test_embeddings_have_length_one_even_without_direction() -> None:
    assert np.allclose(np.linalg.norm(made()(statistics(5)).embedding, axis=-1), 1, atol=1e-5)
    still = made(embed_weight=np.zeros((3, 4, 7)), embed_bias=np.zeros((3, 4)))(statistics(5))
    assert not still.embedding.any()
    assert np.isfinite(still.source_logits).all()


def test_a_statistic_far_out_says_no_more_than_one_at_the_limit() -> None:
    ensemble = made()
    scale, mean = TENSORS["signature.scale"], TENSORS["signature.mean"]
    limit = mean + MOST_DEVIATIONS * scale * np.sign(statistics(1)[0])
    beyond = mean + 1e6 * scale * np.sign(statistics(1)[0])
    assert np.allclose(
        ensemble(beyond.astype(np.float32)).source_logits,
        ensemble(limit.astype(np.float32)).source_logits,
        atol=1e-4,
    )


def test_no_share_leaves_the_discriminant_out() -> None:
    none = made(linear_share=np.zeros(1))(statistics(4))
    other = made(linear_share=np.zeros(1), linear_source_bias=np.arange(5.0))(statistics(4))
    assert np.array_equal(none.source_logits, other.source_logits)
    assert not np.allclose(none.source_logits, made()(statistics(4)).source_logits)


@pytest.mark.parametrize("name", list(TENSORS))
def test_every_tensor_is_needed(name: str) -> None:
    with pytest.raises(BundleError, match=f"'{name}' is missing"):
        Ensemble.from_tensors(
            {n: t for n, t in TENSORS.items() if n != name}, sources=SOURCES, families=FAMILIES
        )


@pytest.mark.parametrize("name", list(TENSORS))
def test_a_misshapen_tensor_is_named(name: str) -> None:
    """One more of everything along the last axis fits nowhere."""
    tensor = np.concatenate([TENSORS[name], TENSORS[name][..., :1]], axis=-1)
    blamed = name
    if name == "signature.hidden.weight":  # every other shape follows from this one
        tensor, blamed = np.concatenate([tensor, tensor[..., :1]], axis=-1), "signature.scale"
    with pytest.raises(BundleError, match=f"'{blamed}' has shape"):
        Ensemble.from_tensors(TENSORS | {name: tensor}, sources=SOURCES, families=FAMILIES)


@pytest.mark.parametrize(
    ("name", "tensor", "message"),
    [
        ("hidden_weight", np.ones((3, 7, 7)), "takes 7 statistics; want an even number"),
        ("scale", np.zeros(STATISTICS), "'signature.scale' must be above 0"),
        ("hidden_bias", np.full((3, 7), np.nan), "'signature.hidden.bias' holds numbers that are"),
    ],
)
def test_a_wrong_tensor_is_named(name: str, tensor: npt.NDArray[Any], message: str) -> None:
    with pytest.raises(BundleError, match=message):
        made(**{name: tensor})
