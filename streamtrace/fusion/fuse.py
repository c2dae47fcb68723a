"""Class scores and gallery similarities become one calibrated answer to each question."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np

from streamtrace.errors import BundleError
from streamtrace.fusion.evidence import Evidence
from streamtrace.tracing.calibrate import log_odds
from streamtrace.tracing.logits import Floats, sigmoid, softmax
from streamtrace.values import Catalog, Float32s

UNKNOWN_LEAST, UNKNOWN_MOST = 0.01, 0.99  # never sure either way that a system is new
NEAR_SYSTEMS = 5  # one is near by chance; with a handful, a voice is of a known kind
FAMILY_FLOOR = 1e-6  # a family whose sources get no share stays possible


@dataclass(frozen=True, slots=True)
class FusionParams:
    """The fitted numbers of the fusion; the keys of `bundle.json["fusion"]`."""

    w_logit: float  # spoof: weight of the learned member's logit
    w_signature: float  # spoof: weight of the signature's logit
    w_gallery: float  # spoof: weight of being nearer to a spoof prototype than to a human one
    bias: float  # spoof: log-odds at zero evidence
    s0: float  # seconds of speech after which half of the spoof log-odds is believed
    nov_sim: float  # novelty: weight of being far from the systems that are nearest
    nov_bias: float  # novelty: log-odds of `unknown` at zero evidence
    attr_logit: float  # attribution: weight of the learned member's source logits
    attr_signature: float  # attribution: weight of the signature's source logits
    attr_sim: float  # attribution: weight of the similarities
    fam_logit: float  # families: weight of the learned member's family logits
    fam_signature: float  # families: weight of the signature's family logits
    fam_sources: float  # families: weight of what the source shares add up to
    fam_unknown: float  # families: how much of `unknown` among sources is an unknown family

    @classmethod
    def from_dict(cls, raw: Mapping[str, object]) -> FusionParams:
        """Checked; BundleError names the key, its value and the rule."""
        params = cls(**{each.name: _number(raw, each.name) for each in fields(cls)})
        if params.s0 < 0:
            raise BundleError(f"bundle.json: fusion.s0={params.s0}: want 0 seconds or more")
        if not 0 <= params.fam_unknown <= 1:
            raise BundleError(
                f"bundle.json: fusion.fam_unknown={params.fam_unknown}: want a share in [0, 1]"
            )
        return params


@dataclass(frozen=True, slots=True, eq=False)
class Fused:
    """The answers; `attribution` and `families` are conditional on the voice being synthetic."""

    spoof_probability: Floats  # [...]
    llr: Floats  # [...] its log-odds
    attribution: Floats  # [..., S + 1], `unknown` last; sums to 1
    families: Floats  # [..., F + 1] likewise
    novelty: Floats  # [...] log-odds, before any clipping

    def by_pairs(self) -> Fused:
        """[2 * B] -> [B, 2]."""
        return Fused(
            self.spoof_probability.reshape(-1, 2),
            self.llr.reshape(-1, 2),
            self.attribution.reshape(-1, 2, self.attribution.shape[-1]),
            self.families.reshape(-1, 2, self.families.shape[-1]),
            self.novelty.reshape(-1, 2),
        )


def family_membership(catalog: Catalog) -> Float32s:
    """[S, F]: 1 where the source is of the family."""
    column = {family: index for index, family in enumerate(catalog.families)}
    table = np.zeros((len(catalog.sources), len(column)), np.float32)
    for row, source in enumerate(catalog.sources):
        if source.family not in column:
            raise BundleError(
                f"bundle.json: catalog source {source.name!r} is of family {source.family!r}, "
                f"which catalog.families does not list"
            )
        table[row, column[source.family]] = 1.0
    return table


def fuse(evidence: Evidence, params: FusionParams, membership: Float32s) -> Fused:
    """Evidence [...], membership [S, F] -> answers [...]; finite whatever was heard."""
    similarity = evidence.similarity[..., :-1]
    nearest = similarity.max(axis=-1)
    lead = nearest - evidence.similarity[..., -1]
    llr = log_odds(
        params.w_logit * evidence.spoof_logit
        + params.w_signature * evidence.signature_logit
        + params.w_gallery * lead,
        evidence.speech_ms * 0.001,
        bias=params.bias,
        half_s=params.s0,
    )
    novelty = params.nov_bias - params.nov_sim * familiarity(similarity)
    unknown = np.clip(sigmoid(novelty), UNKNOWN_LEAST, UNKNOWN_MOST)[..., None]
    known = softmax(
        params.attr_logit * evidence.source_logits
        + params.attr_signature * evidence.signature_sources
        + params.attr_sim * similarity
    )
    # At full weight: what attribution must doubt about a system it need not about its kind.
    of_sources = softmax(evidence.signature_sources)
    families = softmax(
        params.fam_logit * evidence.family_logits
        + params.fam_signature * evidence.signature_families
        + params.fam_sources * np.log(of_sources @ membership + FAMILY_FLOOR)
    )
    unknown_family = unknown * params.fam_unknown
    return Fused(
        spoof_probability=sigmoid(llr),
        llr=llr,
        attribution=np.concatenate([(1 - unknown) * known, unknown], axis=-1),
        families=np.concatenate([(1 - unknown_family) * families, unknown_family], axis=-1),
        novelty=novelty,
    )


def familiarity(similarity: Floats) -> Floats:
    """[..., S] -> [...]: the mean cosine to the few systems that are nearest."""
    few = min(NEAR_SYSTEMS, similarity.shape[-1])
    return np.partition(similarity, -few, axis=-1)[..., -few:].mean(axis=-1)


def _number(raw: Mapping[str, object], name: str) -> float:
    value = raw.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise BundleError(f"bundle.json: fusion.{name}={value!r}: want a finite number")
    return float(value)
