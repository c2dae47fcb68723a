"""Evidence is what heads and gallery say, and nothing without speech."""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from streamtrace.fusion.evidence import gather_evidence
from streamtrace.fusion.model import TraceModel
from streamtrace.values import ModelRef
from tests import builders

MODEL = TraceModel.from_tensors(
    ModelRef("test", "0" * 64),
    builders.catalog(sources=5, families=3),
    builders.ensemble_tensors(dim=8, signature=4, size=6, sources=5, families=3),
    builders.fusion(),
    builders.policy(),
)
STATISTICS = np.random.default_rng(0).standard_normal((2, 24)).astype(np.float32)


def test_it_gathers_heads_and_gallery() -> None:
    got = gather_evidence(STATISTICS, np.array([40, 400]), MODEL.heads, MODEL.gallery)
    scores = MODEL.heads.scores(STATISTICS)
    assert np.array_equal(got.spoof_logit, scores.spoof_logit)
    assert np.array_equal(got.signature_logit, scores.signature_spoof)
    assert np.array_equal(got.source_logits, scores.source_logits)
    assert np.array_equal(got.family_logits, scores.family_logits)
    assert np.array_equal(got.signature_sources, scores.signature_sources)
    assert np.array_equal(got.signature_families, scores.signature_families)
    assert np.array_equal(got.similarity, MODEL.gallery.similarity(scores.embedding))


def test_a_row_without_speech_says_nothing() -> None:
    got = gather_evidence(STATISTICS, np.array([0, 400]), MODEL.heads, MODEL.gallery)
    for field in fields(got):
        value = getattr(got, field.name)
        assert not value[0].any(), field.name
        assert value[1].any(), field.name
