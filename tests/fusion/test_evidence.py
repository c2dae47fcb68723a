"""Evidence is what heads and gallery say, and nothing without speech."""

from __future__ import annotations

import numpy as np

from streamtrace.fusion.evidence import gather_evidence
from tests import builders

MODEL = builders.trace_model()
STATISTICS = np.random.default_rng(0).standard_normal((2, 16)).astype(np.float32)


def test_it_gathers_heads_and_gallery() -> None:
    got = gather_evidence(STATISTICS, np.array([40, 400]), MODEL.heads, MODEL.gallery)
    scores = MODEL.heads.scores(STATISTICS)
    assert np.array_equal(got.spoof_logit, scores.spoof_logit)
    assert np.array_equal(got.spectral_logit, scores.spectral_logit)
    assert np.array_equal(got.source_logits, scores.source_logits)
    assert np.array_equal(got.family_logits, scores.family_logits)
    assert np.array_equal(got.similarity, MODEL.gallery.similarity(scores.embedding))


def test_a_row_without_speech_says_nothing() -> None:
    got = gather_evidence(STATISTICS, np.array([0, 400]), MODEL.heads, MODEL.gallery)
    for value in (got.spoof_logit, got.source_logits, got.family_logits, got.similarity):
        assert not value[0].any()
        assert value[1].any()
