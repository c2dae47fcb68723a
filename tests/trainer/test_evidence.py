"""Two backbones as one: the formula's law, and what each alternative leaves out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from streamtrace.tracing.score import LEARNED_SHARE
from streamtrace.values import Catalog, Source
from tests.trainer.trees import row
from trainer.ablation.evidence import CHOSEN, FUSIONS, Held, Said, held_out, joint_embedding
from trainer.crossfit import HeldOut

CATALOG = Catalog((Source("a", "x"), Source("b", "y"), Source("c", "y")), ("x", "y"))
TRAIN = (row(source="a"), row(source="b"), row(source="bonafide", label="bonafide"))
TEST = (row(source="a"), row(source="c"))
FOLD = Held(0, TRAIN, TEST, np.array([0, 960, 480]), np.array([0, 2, 3]))
RNG = np.random.default_rng(0)


def scores(count: int, width: int) -> dict[str, np.ndarray]:
    embedding = RNG.normal(size=(count, width))
    return {
        "embedding": (embedding / np.linalg.norm(embedding, axis=1, keepdims=True)).astype("f4"),
        "spoof": RNG.normal(size=count).astype("f4"),
        "source": RNG.normal(size=(count, 3)).astype("f4"),
        "family": RNG.normal(size=(count, 2)).astype("f4"),
    }


def member(width: int) -> Said:
    lines = ("clean", "g711")
    return Said({n: scores(3, width) for n in lines}, {n: scores(3, width) for n in lines})


FIRST, SECOND = member(5), member(4)


def by(name: str) -> HeldOut:
    fusion = next(one for one in FUSIONS if one.name.startswith(name))
    return held_out(FOLD, [FIRST, SECOND], CATALOG, fusion)


def test_a_joint_cosine_is_the_weighted_mean_of_both() -> None:
    a, b = scores(6, 5)["embedding"], scores(6, 4)["embedding"]
    both = joint_embedding([a, b], [1 - LEARNED_SHARE, LEARNED_SHARE])
    mean = (1 - LEARNED_SHARE) * a @ a.T + LEARNED_SHARE * b @ b.T
    np.testing.assert_allclose(both @ both.T, mean, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(both, axis=1), 1, atol=1e-6)


def test_alone_a_backbone_speaks_as_the_signature_does() -> None:
    told = held_out(FOLD, [FIRST], CATALOG, CHOSEN).looks["clean"].evidence
    np.testing.assert_allclose(told.signature_logit[1:], FIRST.looks["clean"]["spoof"][1:])
    assert not told.spoof_logit.any()


def test_two_keep_their_own_scores_unless_averaged() -> None:
    chosen, average = by("scores and").looks["clean"].evidence, by("plain").looks["clean"].evidence
    np.testing.assert_allclose(chosen.spoof_logit[1:], SECOND.looks["clean"]["spoof"][1:])
    mean = (FIRST.looks["clean"]["spoof"] + SECOND.looks["clean"]["spoof"]) / 2
    np.testing.assert_allclose(average.signature_logit[1:], mean[1:], rtol=1e-5)
    assert not average.spoof_logit.any()


def test_what_is_left_out_says_nothing() -> None:
    no_embeddings = by("scores alone").looks["clean"]
    no_scores = by("embeddings alone").looks["clean"]
    assert not no_embeddings.evidence.similarity[:, 3:].any()
    assert not no_scores.evidence.signature_logit.any()
    assert no_scores.evidence.similarity[1:, 0].all()


@pytest.mark.parametrize("fusion", FUSIONS)
def test_before_speech_and_of_systems_never_taught_nothing_is_said(fusion: object) -> None:
    held = held_out(FOLD, [FIRST, SECOND], CATALOG, fusion)  # type: ignore[arg-type]
    assert held.taught.tolist() == [True, True, False]
    evidence = held.looks["g711"].evidence
    assert evidence.signature_logit[0] == evidence.spoof_logit[0] == 0
    assert (evidence.similarity[:, 2] == -1).all()
    assert (evidence.source_logits[:, 2] < -90).all()


def test_a_fit_without_caution_is_another_fit() -> None:
    cautious = {fusion.name: fusion.caution for fusion in FUSIONS}
    assert cautious["learned weights"] == replace(CHOSEN.caution, shrinkage=0.0, reluctance=0.0)
