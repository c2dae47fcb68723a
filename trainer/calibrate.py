"""Fit fusion, calibration and thresholds on evidence from held-out folds only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from streamtrace.fusion.evidence import Evidence
from streamtrace.fusion.fuse import FAMILY_FLOOR, Fused, FusionParams, familiarity, fuse
from streamtrace.fusion.policy import Policy
from streamtrace.tracing.logits import Floats, log_sum_exp, sigmoid
from streamtrace.values import Float32s
from trainer.looks import LEAST_SPEECH_MS
from trainer.manifest import DataError

Ints = npt.NDArray[np.int64]

SHRINKAGE = 0.3
# Shares of human and of synthetic clips that a policy gives up. Pages never seen are accused up to
# twice as often as those that set the bar: at 1.5 % here, about 3 % there.
ACCUSED, CLEARED = 0.015, 0.10
UNKNOWN_PRIOR = 0.04  # of a synthetic voice being by a system never met
# What the weights in an attribution cost: of the learned member, of the signature's, and of what is
# derived from them. Likelihood on a few dozen pages would buy noise of the first with ease.
RELUCTANCE = np.array([1.0, 0.001, 0.01])


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Evidence of N clips with what is true of them."""

    evidence: Evidence  # arrays [N, ...]
    synthetic: npt.NDArray[np.bool_]  # [N]
    source: Ints  # [N] catalog index; -1: bona fide, unnamed, or not in the fold's training
    family: Ints  # [N] catalog index; -1 likewise
    membership: Float32s  # [S, F] which family each source is of
    seen: npt.NDArray[np.bool_]  # [N, S] which sources the clip's model was trained on
    weight: npt.NDArray[np.float64]  # [N] evens out pages within a label


@dataclass(frozen=True, slots=True)
class Caution:
    """How far a fit follows a few dozen pages; zero follows them wherever they lead."""

    shrinkage: float = SHRINKAGE  # of the weights of the spoof terms towards where they start
    reluctance: float = 1.0  # to believe class scores, in units of `RELUCTANCE`


CAUTIOUS = Caution()


def fit_spoof(judged: Judged, shrinkage: float = SHRINKAGE) -> dict[str, float]:
    """Logistic calibration of the members' logits and the gallery, shrunk for little speech."""
    e = judged.evidence
    contrast = e.similarity[:, :-1].max(axis=1) - e.similarity[:, -1]
    speech_s = e.speech_ms / 1000
    y = np.where(judged.synthetic, 1.0, -1.0)

    def cost(p: npt.NDArray[np.float64]) -> float:
        w_logit, w_signature, w_gallery, bias, log_s0 = p
        x = w_logit * e.spoof_logit + w_signature * e.signature_logit + w_gallery * contrast + bias
        llr = x * speech_s / (speech_s + np.exp(log_s0))
        fit = (judged.weight * np.logaddexp(0, -y * llr)).sum()
        return float(fit + shrinkage * ((p - start) ** 2).sum())

    # A few dozen pages decide this fit, however many clips they hold: it starts from a guess and
    # leaves it only as far as they insist.
    start = np.array([0.0, 0.5, 0.5, 0.0, -0.5])
    best = minimize(
        cost,
        start,
        method="L-BFGS-B",
        bounds=[(0, 10), (0, 10), (0, 20), (-5, 5), (np.log(0.05), np.log(3.0))],
    ).x
    names = ("w_logit", "w_signature", "w_gallery", "bias")
    return {
        **{n: float(v) for n, v in zip(names, best, strict=False)},
        "s0": float(np.exp(best[4])),
    }


def fit_novelty(judged: Judged) -> dict[str, float]:
    """Logistic regression of `never seen` on being far from known systems, of synthetic clips."""
    e = judged.evidence
    rows = judged.synthetic & (e.speech_ms > 0)
    unknown = np.where(judged.source[rows] < 0, 1.0, -1.0)
    kinds = (unknown > 0).sum(), (unknown < 0).sum()
    if not all(kinds):
        return dict.fromkeys(("nov_sim", "nov_bias"), 0.0)  # nothing to tell apart
    familiar = familiarity(e.similarity[rows, :-1])
    # How common new systems are among calls is not known, and no clip collection tells.
    weight = np.where(unknown > 0, UNKNOWN_PRIOR / kinds[0], (1 - UNKNOWN_PRIOR) / kinds[1])

    def cost(p: npt.NDArray[np.float64]) -> float:
        n = p[1] - p[0] * familiar
        return float((weight * np.logaddexp(0, -unknown * n)).sum() + 1e-4 * (p**2).sum())

    best = minimize(
        cost,
        np.array([1.0, 1.0]),
        method="L-BFGS-B",
        bounds=[(0, 20), (-60, 60)],
    ).x
    return {"nov_sim": float(best[0]), "nov_bias": float(best[1])}


def fit_attribution(judged: Judged, reluctance: float = 1.0) -> dict[str, float]:
    """Weights of both class scores and of the similarities, by likelihood."""
    e = judged.evidence
    names = ("attr_logit", "attr_signature", "attr_sim")
    rows = judged.source >= 0
    if not rows.any():
        return dict.fromkeys(names, 1.0)
    hidden = np.where(judged.seen[rows], 0.0, -1e4)
    said = (e.source_logits[rows], e.signature_sources[rows], e.similarity[rows, :-1])
    weights = _likeliest(
        said, judged.source[rows], judged.weight[rows], hidden=hidden, reluctance=reluctance
    )
    return dict(zip(names, weights, strict=True))


def fit_families(judged: Judged, params: FusionParams, reluctance: float = 1.0) -> dict[str, float]:
    """Weights of both family scores and of what the source shares add up to, by likelihood."""
    e = judged.evidence
    names = ("fam_logit", "fam_signature", "fam_sources")
    rows = judged.family >= 0
    weights = (0.0, 1.0, 1.0)
    if rows.any():
        alone = replace(params, fam_logit=0.0, fam_signature=0.0, fam_sources=1.0, fam_unknown=0.0)
        of_sources = np.log(fuse_all(judged, alone).families[rows, :-1] + FAMILY_FLOOR)
        said = (e.family_logits[rows], e.signature_families[rows], of_sources)
        weights = _likeliest(said, judged.family[rows], judged.weight[rows], reluctance=reluctance)
    # A new system is mostly a new member of a known family.
    return {**dict(zip(names, weights, strict=True)), "fam_unknown": 0.25}


def _likeliest(
    said: Sequence[Floats],
    truth: Ints,
    weight: npt.NDArray[np.float64],
    *,
    hidden: Floats | float = 0.0,
    reluctance: float = 1.0,
) -> tuple[float, ...]:
    """One weight, 0 or more, for each of several scores [N, C]: those that like the truth best."""
    each = weight / weight.sum()

    def cost(p: npt.NDArray[np.float64]) -> float:
        x = sum((w * s for w, s in zip(p, said, strict=True)), np.asarray(hidden))
        likelihood = x[np.arange(len(truth)), truth] - log_sum_exp(x)
        return float(-(each * likelihood).sum() + reluctance * (RELUCTANCE * p**2).sum())

    start = np.full(len(said), 0.5)
    best = minimize(cost, start, method="L-BFGS-B", bounds=[(0, 20)] * len(said)).x
    return tuple(float(w) for w in best)


@dataclass(frozen=True, slots=True, eq=False)
class Calls:
    """M clips as calls: what the looks at each came to."""

    synthetic: npt.NDArray[np.bool_]  # [M]
    peak: npt.NDArray[np.floating]  # [M] highest log-odds of any look; -inf: too little speech
    final: npt.NDArray[np.floating]  # [M] log-odds at the end
    weight: npt.NDArray[np.float64]  # [M] evens out pages within a label


def fit_policy(calls: Calls, *, name: str) -> Policy:
    """Thresholds: 2 % of human clips ever accused, a tenth of synthetic ones cleared at their end.

    A call is looked at every half second and accused at the first look that warrants it: a bar
    set on one look a call would accuse far more. Pages count even; by clip, a few large and easy
    pages would set the bar, and strange ones be accused.
    """
    heard = np.isfinite(calls.peak)
    human, synthetic = heard & ~calls.synthetic, heard & calls.synthetic
    if not human.any() or not synthetic.any():
        raise DataError(
            "no threshold can be set: want human and synthetic clips with half a second of speech "
            f"in every fold, found {human.sum()} and {synthetic.sum()}"
        )
    of_humans = weighted_quantile(sigmoid(calls.peak[human]), calls.weight[human], 1 - ACCUSED)
    of_synthetic = weighted_quantile(
        sigmoid(calls.final[synthetic]), calls.weight[synthetic], CLEARED
    )
    accuse = float(np.clip(of_humans, 0.5, 0.999))
    clear = float(np.clip(of_synthetic, 0.02, 0.9 * accuse))
    return Policy(
        name=name,
        # Rounded up: the clip that sets the bar stays below it.
        accuse=round(accuse + 1e-4, 4),
        retract=round(accuse - 0.3 * (accuse - clear), 4),
        clear=round(clear, 4),
        unclear=round(clear + 0.3 * (accuse - clear), 4),
        least_speech_ms=LEAST_SPEECH_MS,
    )


def weighted_quantile(
    values: npt.NDArray[np.floating], weights: npt.NDArray[np.float64], share: float
) -> float:
    """The smallest value that at least `share` of the weight lies at or below."""
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weights[order])
    at = int(np.searchsorted(total, share * total[-1]))
    return float(values[order[min(at, len(order) - 1)]])


def fuse_all(judged: Judged, params: FusionParams) -> Fused:
    """The product's own fusion over every judged clip."""
    return fuse(judged.evidence, params, judged.membership)


def fit(judged: Judged, caution: Caution = CAUTIOUS) -> FusionParams:
    """Every part of the fusion, from the same held-out evidence."""
    spoof = fit_spoof(judged, caution.shrinkage)
    attribution = fit_attribution(judged, caution.reluctance)
    first = FusionParams(
        **spoof,
        **fit_novelty(judged),
        **attribution,
        fam_logit=0.0,
        fam_signature=1.0,
        fam_sources=1.0,
        fam_unknown=0.25,
    )
    return replace(first, **fit_families(judged, first, caution.reluctance))
