"""Thresholds and calibration from held-out evidence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from streamtrace.fusion.evidence import Evidence
from streamtrace.fusion.policy import Policy
from trainer.calibrate import Calls, Judged, fit, fit_policy, fuse_all, weighted_quantile
from trainer.manifest import DataError


def judged(n: int = 400, lead: float = 2.0, seed: int = 0) -> Judged:
    """Half human, half synthetic by three sources of two families; the third was never seen."""
    rng = np.random.default_rng(seed)
    synthetic = np.arange(n) % 2 == 1
    source = np.where(synthetic, rng.integers(0, 3, n), -1)
    seen = np.tile([True, True, False], (n, 1))
    logits = rng.normal(size=(n, 3)) + 4.0 * (source[:, None] == np.arange(3))
    similarity = np.clip(
        0.2 * rng.normal(size=(n, 4)) + 0.5 * (source[:, None] == np.arange(4)), -1, 1
    )
    known = synthetic & (source < 2)
    family = np.where(synthetic, np.array([0, 1, 1])[source], -1)
    return Judged(
        evidence=Evidence(
            spoof_logit=rng.normal(size=n) + lead * (synthetic - 0.5),
            signature_logit=rng.normal(size=n),
            source_logits=np.where(seen, logits, -1e3),
            family_logits=rng.normal(size=(n, 2)) + 3.0 * (family[:, None] == np.arange(2)),
            signature_sources=np.where(seen, rng.normal(size=(n, 3)), -1e3),
            signature_families=rng.normal(size=(n, 2)),
            similarity=np.concatenate(
                [np.where(seen, similarity[:, :3], -1), similarity[:, 3:]], 1
            ),
            speech_ms=np.full(n, 3000),
        ),
        synthetic=synthetic,
        source=np.where(known, source, -1),
        family=family,
        membership=np.array([[1, 0], [0, 1], [0, 1]], np.float32),
        seen=seen,
        weight=np.full(n, 2 / n),
    )


def test_the_fit_tells_human_from_synthetic_and_known_from_unknown() -> None:
    evidence = judged()
    params = fit(evidence)
    fused = fuse_all(evidence, params)
    p = fused.spoof_probability
    assert p[evidence.synthetic].mean() > p[~evidence.synthetic].mean() + 0.2
    # The signature carries nothing here: it keeps less of its start than what is informative.
    assert params.w_logit > params.w_signature
    assert params.attr_logit > params.attr_signature
    assert params.fam_logit > params.fam_signature
    new = evidence.synthetic & (evidence.source < 0)
    old = evidence.source >= 0
    assert fused.novelty[new].mean() > fused.novelty[old].mean()
    right = fused.attribution[old, :-1].argmax(1) == evidence.source[old]
    assert right.mean() > 0.8


def test_the_fit_believes_the_signature_where_it_alone_knows() -> None:
    told = judged()
    e = told.evidence
    swapped = replace(
        e,
        spoof_logit=e.signature_logit,
        signature_logit=e.spoof_logit,
        source_logits=e.signature_sources,
        signature_sources=e.source_logits,
        family_logits=e.signature_families,
        signature_families=e.family_logits,
    )
    params = fit(replace(told, evidence=swapped))
    assert params.w_signature > params.w_logit
    assert params.attr_signature > params.attr_logit
    assert params.fam_signature > params.fam_logit


def test_without_new_systems_novelty_is_left_to_the_prior() -> None:
    told = judged()
    params = fit(replace(told, source=np.where(told.synthetic, 0, -1)))
    assert params.nov_sim == params.nov_bias == 0.0


def calls(n: int = 400, looks: int = 1, seed: int = 0) -> Calls:
    """Half human; the highest of `looks` looks, the last of which is the final one."""
    rng = np.random.default_rng(seed)
    synthetic = np.arange(n) % 2 == 1
    llr = rng.normal(size=(looks, n)) + 2.0 * (synthetic - 0.5)
    return Calls(synthetic, llr.max(axis=0), llr[-1], np.full(n, 2 / n))


def bar(policy: Policy) -> float:
    return float(np.log(policy.accuse / (1 - policy.accuse)))


def test_two_percent_of_humans_are_accused_pages_counted_evenly() -> None:
    heard = calls()
    policy = fit_policy(heard, name="test@1")
    human = np.flatnonzero(~heard.synthetic)
    assert 0.01 < (heard.peak[human] >= bar(policy)).mean() <= 0.02
    assert policy.clear < policy.unclear <= policy.retract < policy.accuse
    # One strange page of few clips weighs as much as all the others: it raises the bar.
    strange = human[np.argsort(heard.peak[human])[-5:]]
    weight = heard.weight.copy()
    weight[strange] = weight[human].sum() / len(strange)
    assert fit_policy(replace(heard, weight=weight), name="test@1").accuse > policy.accuse


def test_the_bar_counts_every_look_at_a_call() -> None:
    once, often = calls(looks=1), calls(looks=12)
    bar_of_one, bar_of_all = (bar(fit_policy(each, name="test@1")) for each in (once, often))
    human = ~often.synthetic
    assert (often.peak[human] >= bar_of_one).mean() > 0.15  # what one look's bar would do
    assert (often.peak[human] >= bar_of_all).mean() <= 0.02


def test_calls_with_too_little_speech_set_no_bar() -> None:
    heard = calls()
    quiet = replace(heard, peak=np.where(np.arange(400) < 200, -np.inf, heard.peak))
    half = Calls(*(getattr(quiet, f)[200:] for f in ("synthetic", "peak", "final", "weight")))
    assert fit_policy(quiet, name="test@1").accuse == fit_policy(half, name="test@1").accuse


def test_without_humans_no_threshold_is_set() -> None:
    with pytest.raises(DataError, match="no threshold can be set"):
        fit_policy(replace(calls(), synthetic=np.ones(400, bool)), name="test@1")


def test_weighted_quantile_of_even_weights_is_the_quantile() -> None:
    values = np.arange(1.0, 101.0)
    assert weighted_quantile(values, np.ones(100), 0.97) == 97.0
    assert weighted_quantile(np.array([1.0, 2.0]), np.array([0.1, 0.9]), 0.5) == 2.0
