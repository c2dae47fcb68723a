"""Thresholds and calibration from held-out evidence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from streamtrace.fusion.evidence import Evidence
from trainer.calibrate import Judged, fit, fit_policy, fuse_all, weighted_quantile
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
            spectral_logit=rng.normal(size=n),
            source_logits=np.where(seen, logits, -1e3),
            family_logits=rng.normal(size=(n, 2)) + 3.0 * (family[:, None] == np.arange(2)),
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
    # The spectral member carries nothing here: it keeps less of its start than the informative one.
    assert params.w_logit > params.w_spectral
    new = evidence.synthetic & (evidence.source < 0)
    old = evidence.source >= 0
    assert fused.novelty[new].mean() > fused.novelty[old].mean()
    right = fused.attribution[old, :-1].argmax(1) == evidence.source[old]
    assert right.mean() > 0.8


def test_three_percent_of_humans_are_accused_pages_counted_evenly() -> None:
    evidence = judged()
    params = fit(evidence)
    policy = fit_policy(evidence, params, name="test@1")
    p = fuse_all(evidence, params).spoof_probability
    assert (p[~evidence.synthetic] > policy.accuse).mean() <= 0.03
    assert policy.clear < policy.unclear <= policy.retract < policy.accuse
    # One strange page of few clips weighs as much as all the others: it raises the bar.
    human = np.flatnonzero(~evidence.synthetic)
    strange = human[np.argsort(p[human])[-5:]]
    weight = evidence.weight.copy()
    weight[strange] = weight[human].sum() / len(strange)
    stricter = fit_policy(replace(evidence, weight=weight), params, name="test@1")
    assert stricter.accuse > policy.accuse


def test_without_humans_no_threshold_is_set() -> None:
    evidence = judged()
    only = replace(evidence, synthetic=np.ones(400, bool))
    with pytest.raises(DataError, match="no threshold can be set"):
        fit_policy(only, fit(evidence), name="test@1")


def test_weighted_quantile_of_even_weights_is_the_quantile() -> None:
    values = np.arange(1.0, 101.0)
    assert weighted_quantile(values, np.ones(100), 0.97) == 97.0
    assert weighted_quantile(np.array([1.0, 2.0]), np.array([0.1, 0.9]), 0.5) == 2.0
