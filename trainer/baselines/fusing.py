"""A baseline's scores through the model's own fusion: calibrated, and nothing added to them.

What is fitted on the other folds is a slope and an offset for each question. The sign of a
baseline's novelty is the method's: data may flatten it, never turn it round.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from streamtrace.fusion.evidence import Evidence
from streamtrace.fusion.fuse import FusionParams
from streamtrace.values import Bools, Catalog
from trainer.baselines.interface import ABSENT, Said
from trainer.calibrate import UNKNOWN_PRIOR, Judged, fit_attribution, fit_families, fit_spoof
from trainer.judgements import WHOLE_S, Judgements

FLATTEST = 0.05  # slope of a novelty that other folds do not bear out: its order is kept


def as_evidence(
    said: Said, speech_ms: npt.NDArray[np.int64], catalog: Catalog, taught: Bools
) -> Evidence:
    """[K] looks, in the places that the fusion reads from."""
    looks, sources = len(said.spoof), len(catalog.sources)
    heard = (speech_ms > 0).astype(np.float32)
    nothing = np.zeros(looks, np.float32)
    named = np.zeros((looks, sources), np.float32) if said.sources is None else said.sources
    kinds = np.zeros((looks, len(catalog.families)), np.float32)
    # Every source is as near as the nearest, and so is human speech: the gallery says no more.
    familiar = nothing if said.novelty is None else -said.novelty * heard
    return Evidence(
        spoof_logit=nothing,
        signature_logit=said.spoof * heard,
        source_logits=np.zeros_like(named),
        family_logits=kinds,
        signature_sources=np.where(taught, named * heard[:, None], ABSENT).astype(np.float32),
        signature_families=kinds if said.families is None else said.families * heard[:, None],
        similarity=np.repeat(familiar[:, None], sources + 1, axis=1).astype(np.float32),
        speech_ms=speech_ms,
    )


def fit_alone(judged: Judged) -> FusionParams:
    """Slopes and offsets, from held-out evidence."""
    values = {**fit_spoof(judged), **_fit_novelty(judged), **fit_attribution(judged)}
    first = FusionParams(
        **values, fam_logit=0.0, fam_signature=1.0, fam_sources=1.0, fam_unknown=0.25
    )
    return replace(first, **fit_families(judged, first))


def without_unsaid(table: Judgements, said: Said, *, only_whole: bool) -> Judgements:
    """NaN for every question that a baseline does not answer, and every length it was not asked."""
    changes: dict[str, object] = {}
    if said.sources is None:
        changes["attribution"] = np.full_like(table.attribution, np.nan)
        if said.families is None:
            changes["family_shares"] = np.full_like(table.family_shares, np.nan)
    if said.novelty is None:
        changes["novelty"] = np.full_like(table.novelty, np.nan)
        changes["novel"] = np.full_like(table.novel, np.nan)
    if only_whole:
        short = np.array([seconds != WHOLE_S for seconds in table.prefixes_s])
        for name in ("llr", "peak", "novelty", "attribution", "family_shares"):
            asked = np.array(changes.get(name, getattr(table, name)))
            asked[:, short] = np.nan
            changes[name] = asked
    return replace(table, **changes)  # type: ignore[arg-type]


def _fit_novelty(judged: Judged) -> dict[str, float]:
    """Logistic regression of `never seen` on the baseline's own score, over synthetic clips."""
    rows = judged.synthetic & (judged.evidence.speech_ms > 0)
    unknown = np.where(judged.source[rows] < 0, 1.0, -1.0)
    kinds = (unknown > 0).sum(), (unknown < 0).sum()
    if not all(kinds):
        return {"nov_sim": 1.0, "nov_bias": 0.0}
    familiar = judged.evidence.similarity[rows, 0]
    weight = np.where(unknown > 0, UNKNOWN_PRIOR / kinds[0], (1 - UNKNOWN_PRIOR) / kinds[1])

    def cost(p: npt.NDArray[np.float64]) -> float:
        said = p[1] - p[0] * familiar
        return float((weight * np.logaddexp(0, -unknown * said)).sum() + 1e-4 * (p**2).sum())

    best = minimize(
        cost, np.array([1.0, 0.0]), method="L-BFGS-B", bounds=[(FLATTEST, 20), (-60, 60)]
    ).x
    return {"nov_sim": float(best[0]), "nov_bias": float(best[1])}
