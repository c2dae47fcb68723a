"""The fusion follows its formulas, stays finite, and treats each row alone."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from streamtrace.errors import BundleError
from streamtrace.fusion.evidence import Evidence
from streamtrace.fusion.fuse import Fused, FusionParams, familiarity, family_membership, fuse
from streamtrace.values import Catalog, Source
from tests import builders

SOURCES, FAMILIES = 7, 3
MEMBERSHIP = family_membership(builders.catalog(SOURCES, FAMILIES))
PARAMS = builders.fusion()


def evidence(*shape: int, scale: float = 1.0, speech_ms: int = 3000, seed: int = 0) -> Evidence:
    rng = np.random.default_rng(seed)

    def normal(*more: int):
        return (scale * rng.standard_normal((*shape, *more))).astype(np.float32)

    return Evidence(
        spoof_logit=normal(),
        signature_logit=normal(),
        source_logits=normal(SOURCES),
        family_logits=normal(FAMILIES),
        signature_sources=normal(SOURCES),
        signature_families=normal(FAMILIES),
        similarity=np.clip(normal(SOURCES + 1), -1, 1),
        speech_ms=np.full(shape, speech_ms),
    )


def nothing() -> Evidence:
    return evidence(scale=0.0, speech_ms=0)


def values(fused: Fused):
    return [np.asarray(getattr(fused, field.name)) for field in dataclasses.fields(fused)]


def test_the_formulas() -> None:
    e, p = evidence(), PARAMS
    got = fuse(e, p, MEMBERSHIP)
    sim, human = e.similarity[:-1], e.similarity[-1]
    x = p.w_logit * e.spoof_logit + p.w_signature * e.signature_logit
    x += p.w_gallery * (sim.max() - human)
    llr = (x + p.bias) * 3 / (3 + p.s0)
    assert got.llr == pytest.approx(llr, abs=1e-5)
    assert got.spoof_probability == pytest.approx(1 / (1 + np.exp(-llr)), abs=1e-6)
    novelty = p.nov_bias - p.nov_sim * np.sort(sim)[-5:].mean()
    assert got.novelty == pytest.approx(novelty, abs=1e-5)
    unknown = 1 / (1 + np.exp(-novelty))
    known = np.exp(
        p.attr_logit * e.source_logits + p.attr_signature * e.signature_sources + p.attr_sim * sim
    )
    known /= known.sum()
    assert np.allclose(got.attribution, [*(1 - unknown) * known, unknown], atol=1e-6)
    of_sources = np.exp(e.signature_sources) / np.exp(e.signature_sources).sum()
    of_family = of_sources @ MEMBERSHIP + 1e-6
    mixed = of_family**p.fam_sources
    mixed *= np.exp(p.fam_logit * e.family_logits + p.fam_signature * e.signature_families)
    mixed /= mixed.sum()
    rest = unknown * p.fam_unknown
    assert np.allclose(got.families, [*(1 - rest) * mixed, rest], atol=1e-6)


@pytest.mark.parametrize("scale", [0.0, 1.0, 1e4])
@pytest.mark.parametrize("speech_ms", [0, 40, 10**8])
def test_everything_is_finite_and_shares_sum_to_one(scale: float, speech_ms: int) -> None:
    got = fuse(evidence(scale=scale, speech_ms=speech_ms), PARAMS, MEMBERSHIP)
    assert all(np.isfinite(value).all() for value in values(got))
    assert got.attribution.sum() == pytest.approx(1, abs=1e-6)
    assert got.families.sum() == pytest.approx(1, abs=1e-6)
    assert 0.0099 < got.attribution[-1] < 0.9901


def test_without_speech_only_the_prior_speaks() -> None:
    got = fuse(nothing(), PARAMS, MEMBERSHIP)
    assert got.spoof_probability == 0.5
    assert np.allclose(got.attribution[:-1], got.attribution[0])


def test_the_same_score_weighs_more_with_more_speech() -> None:
    odds = [
        abs(float(fuse(evidence(speech_ms=ms), PARAMS, MEMBERSHIP).llr)) for ms in (200, 1000, 9000)
    ]
    assert odds == sorted(odds)
    assert odds[0] < odds[-1]


def test_a_row_of_a_batch_is_the_row_alone() -> None:
    e = evidence(2, 3)
    together = values(fuse(e, PARAMS, MEMBERSHIP))
    one = Evidence(*(getattr(e, field.name)[1, 2] for field in dataclasses.fields(e)))
    alone = values(fuse(one, PARAMS, MEMBERSHIP))
    for many, single in zip(together, alone, strict=True):
        assert np.allclose(many[1, 2], single, atol=1e-6)


def test_a_voice_that_is_near_one_system_by_chance_is_newer_than_one_of_a_known_kind() -> None:
    lone = np.array([0.9, 0.1, 0.1, 0.1, 0.1, 0.1], np.float32)
    kind = np.array([0.7, 0.7, 0.7, 0.6, 0.6, 0.1], np.float32)
    assert familiarity(lone) < familiarity(kind)
    assert familiarity(kind) == pytest.approx(0.66)
    assert familiarity(kind[:2]) == pytest.approx(0.7)  # fewer systems than a handful


def test_membership() -> None:
    catalog = Catalog((Source("a", "y"), Source("b", "x"), Source("c", "y")), ("x", "y"))
    assert family_membership(catalog).tolist() == [[0, 1], [1, 0], [0, 1]]


def test_a_family_that_is_not_listed_is_named() -> None:
    with pytest.raises(BundleError, match="'b' is of family 'z'"):
        family_membership(Catalog((Source("b", "z"),), ("x", "y")))


@pytest.mark.parametrize("key", list(builders.FUSION))
@pytest.mark.parametrize("value", [None, "1", True, float("inf")])
def test_every_number_is_needed(key: str, value: object) -> None:
    with pytest.raises(BundleError, match=rf"fusion.{key}=.*: want a finite number"):
        FusionParams.from_dict(builders.FUSION | {key: value})


@pytest.mark.parametrize(
    ("key", "value"), [("s0", -1), ("fam_unknown", 1.1), ("fam_unknown", -0.1)]
)
def test_a_number_out_of_range_is_named(key: str, value: float) -> None:
    with pytest.raises(BundleError, match=rf"fusion.{key}={value}"):
        builders.fusion(**{key: value})


def test_whole_numbers_are_numbers() -> None:
    assert builders.fusion(s0=2).s0 == 2.0
