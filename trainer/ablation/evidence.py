"""What one or two backbones say becomes the evidence that the product's own fusion judges.

Two are fused in scores and in embeddings. The formula is this project's own, chosen and not found
in print: with e embeddings at length one, l log-odds and c the cosine to the nearest prototype,

    e = [sqrt(1 - a) e_signature, sqrt(a) e_conformer]           a = LEARNED_SHARE
    log-odds = w1 l_conformer + w2 l_signature + w3 (c_synthetic - c_human) + bias

so a cosine with e is the weighted mean of both cosines. Weights are fitted on other folds and held
near a prior guess, because a few dozen pages decide them. Each alternative changes one thing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from streamtrace.fusion.evidence import Evidence
from streamtrace.tracing.gallery import Gallery
from streamtrace.tracing.logits import Floats, log_softmax
from streamtrace.tracing.score import LEARNED_SHARE
from streamtrace.values import Catalog
from trainer.calibrate import CAUTIOUS, Caution, fit
from trainer.crossfit import HeldOut, cross_fitted
from trainer.judge import prototypes, without_untaught
from trainer.judgements import Judgements, joined
from trainer.looks import Ints, Looks
from trainer.manifest import Row

Tensors = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """What one backbone says in one fold, by the fields of `Scores`."""

    looks: dict[str, Tensors]  # by line, of the clips held out [K, ...]
    taught: dict[str, Tensors]  # by line, of whole training clips [R, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """The clips of one fold, with their looks, and those that were trained on."""

    number: int
    train: tuple[Row, ...]
    test: tuple[Row, ...]
    speech_ms: Ints  # [K]
    first: Ints  # [N + 1]


@dataclass(frozen=True, slots=True)
class Fusion:
    """One way to make one judge of two backbones."""

    name: str
    share: float = LEARNED_SHARE  # of the Conformer's in the joint cosine
    averaged: bool = False  # whether both scores are one mean before anything is fitted
    scores: bool = True
    embeddings: bool = True
    caution: Caution = CAUTIOUS


CHOSEN = Fusion("scores and embeddings, cautious weights")
FUSIONS = (
    CHOSEN,
    Fusion("learned weights", caution=Caution(shrinkage=0.0, reluctance=0.0)),
    Fusion("plain average", share=0.5, averaged=True),
    Fusion("scores alone", embeddings=False),
    Fusion("embeddings alone", scores=False),
)


def judged_by(
    folds: Sequence[Held],
    members: Sequence[Sequence[Said]],
    catalog: Catalog,
    *,
    name: str,
    fusion: Fusion = CHOSEN,
) -> Judgements:
    """Every fold by its own backbones, one or two, with the fit of the other folds."""
    held = [
        held_out(fold, [member[place] for member in members], catalog, fusion)
        for place, fold in enumerate(folds)
    ]
    return joined(cross_fitted(held, name=name, fit_fusion=partial(fit, caution=fusion.caution))[1])


def held_out(fold: Held, members: Sequence[Said], catalog: Catalog, fusion: Fusion) -> HeldOut:
    """The evidence of one fold at every look."""
    shares = [1.0] if len(members) == 1 else [1 - fusion.share, fusion.share]
    whole = {
        line: joint_embedding([m.taught[line]["embedding"] for m in members], shares)
        for line in members[0].taught
    }
    tensors = prototypes(catalog, fold.train, whole)
    size = tensors["gallery.prototypes"].shape[1]
    gallery = Gallery.from_tensors(tensors, sources=len(catalog.sources), size=size)
    seen = {row.source for row in fold.train}
    taught = np.array([source.name in seen for source in catalog.sources], np.bool_)
    looks: dict[str, Looks] = {}
    for line in members[0].looks:
        said = [member.looks[line] for member in members]
        embedding = joint_embedding([each["embedding"] for each in said], shares)
        evidence = _evidence(said, gallery.similarity(embedding), fold.speech_ms, taught, fusion)
        looks[line] = Looks(without_untaught(evidence, taught), fold.first)
    return HeldOut(
        rows=fold.test,
        fold=np.full(len(fold.test), fold.number, np.int64),
        looks=looks,
        catalog=catalog,
        taught=taught,
    )


def joint_embedding(embeddings: Sequence[Floats], shares: Sequence[float]) -> Floats:
    """[N, E] each, at length one -> [N, sum of E], at length one."""
    parts = [e * np.float32(share**0.5) for e, share in zip(embeddings, shares, strict=True)]
    return np.concatenate(parts, axis=-1)


def _evidence(
    said: Sequence[Tensors],
    similarity: Floats,
    speech_ms: Ints,
    taught: npt.NDArray[np.bool_],
    fusion: Fusion,
) -> Evidence:
    """One backbone speaks as the signature does; of two, the second as the learned member."""
    heard = (speech_ms > 0).astype(np.float32)
    each = heard[:, None]
    on = np.float32(fusion.scores)
    scores = [
        (
            on * heard * member["spoof"],
            on * each * shares_of(member["source"], taught),
            on * each * log_softmax(member["family"]),
        )
        for member in said
    ]
    if fusion.averaged and len(scores) > 1:
        scores = [tuple(np.mean(np.stack(parts), axis=0) for parts in zip(*scores, strict=True))]
    first = scores[0]
    second = scores[1] if len(scores) > 1 else tuple(np.zeros_like(part) for part in first)
    return Evidence(
        spoof_logit=second[0],
        signature_logit=first[0],
        source_logits=second[1].astype(np.float32),
        family_logits=second[2].astype(np.float32),
        signature_sources=first[1].astype(np.float32),
        signature_families=first[2].astype(np.float32),
        similarity=(similarity * each * np.float32(fusion.embeddings)).astype(np.float32),
        speech_ms=speech_ms,
    )


def shares_of(logits: Floats, taught: npt.NDArray[np.bool_]) -> Floats:
    """Log shares over the systems that were taught; finite for the others."""
    return log_softmax(np.where(taught, logits, np.float32(-1e2)))
