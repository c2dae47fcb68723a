"""From held-out evidence to judgements: what judges a fold was fitted on the other folds alone.

Fusion, calibration and thresholds of a fold never saw its pages. Nor did they see the systems
that are new there: a system is unknown to a fold's model only if all its clips lie in that fold,
so no system on which the bar for `unknown` was set is one on which it is judged.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from streamtrace.fusion.fuse import Fused, FusionParams, family_membership, fuse
from streamtrace.fusion.policy import Policy
from streamtrace.values import Catalog
from trainer.calibrate import Calls, Judged, fit, fit_policy, weighted_quantile
from trainer.judgements import PREFIXES_S, WHOLE_S, Clip, Floats, Judgements
from trainer.lines import LINES
from trainer.looks import Ints, Looks, join_evidence, take
from trainer.manifest import DataError, Row

POLICY_NAME = "default@1"
FIT_PREFIXES_S = (1.0, 2.0, WHOLE_S)  # early decisions are calibrated for as well
UNKNOWN_FOUND = 0.95
EASY = 0.1  # weight of engines and prompts: what fits them must not be what judges all others


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """Some clips with all the looks that a model which never saw their fold took at them."""

    rows: tuple[Row, ...]
    fold: Ints  # [N] which fold's fit judges the clip
    looks: dict[str, Looks]  # by line
    catalog: Catalog
    taught: npt.NDArray[np.bool_]  # [S] which sources the model had heard

    def select(self, clips: Sequence[int]) -> HeldOut:
        """Some of the clips, in that order."""
        return replace(
            self,
            rows=tuple(self.rows[i] for i in clips),
            fold=self.fold[list(clips)],
            looks={line: looks.of_clips(clips) for line, looks in self.looks.items()},
        )

    @property
    def found(self) -> HeldOut:
        """Without what is of our own making: nothing is ever fitted on that."""
        return self.select([i for i, row in enumerate(self.rows) if not row.is_pair])


@dataclass(frozen=True, slots=True)
class Fitted:
    """What evidence of some folds came to."""

    fusion: FusionParams
    policy: Policy
    novel: float  # the log-odds of `unknown` that 95 % of unknown systems reach

    @property
    def accuse(self) -> float:
        """The policy's bar as log-odds."""
        return float(np.log(self.policy.accuse) - np.log1p(-self.policy.accuse))


def fit_on(parts: Sequence[HeldOut], fit_fusion: Callable[[Judged], FusionParams] = fit) -> Fitted:
    """Fusion first, then the bars on what it says."""
    found = [part.found for part in parts]
    judged = [
        judged_at(part, line, prefix_s)
        for part in found
        for line in part.looks
        if line in LINES
        for prefix_s in FIT_PREFIXES_S
    ]
    fusion = fit_fusion(join(judged))
    calls = [_calls(part, line, fusion) for part in found for line in part.looks]
    policy = fit_policy(
        Calls(
            synthetic=np.concatenate([c.synthetic for c in calls]),
            peak=np.concatenate([c.peak for c in calls]),
            final=np.concatenate([c.final for c in calls]),
            weight=np.concatenate([c.weight for c in calls]),
        ),
        name=POLICY_NAME,
    )
    return Fitted(fusion, policy, _novel_bar(found, fusion))


def cross_fitted(
    folds: Sequence[HeldOut],
    *,
    name: str,
    fit_fusion: Callable[[Judged], FusionParams] = fit,
) -> tuple[dict[int, Fitted], list[Judgements]]:
    """For each fold what the others came to, and what that says of it."""
    if len(folds) < 2:
        raise DataError("evaluate: want the runs of at least two held-out folds")
    fits = {
        int(fold.fold[0]): fit_on([other for other in folds if other is not fold], fit_fusion)
        for fold in folds
    }
    return fits, [judgements_of(fold, fits, name=name) for fold in folds]


def judgements_of(held: HeldOut, fits: Mapping[int, Fitted], *, name: str) -> Judgements:
    """Every clip judged with the fit of its fold, which never saw that fold."""
    lines = tuple(held.looks)
    sources = tuple(source.name for source in held.catalog.sources)
    shape = (len(lines), len(PREFIXES_S), len(held.rows))
    table = {name: np.zeros(shape, np.float32) for name in ("llr", "peak", "novelty")}
    speech_ms = np.zeros(shape, np.int64)
    attribution = np.zeros((*shape, len(sources) + 1), np.float32)
    family_shares = np.zeros((*shape, len(held.catalog.families) + 1), np.float32)
    for number in np.unique(held.fold):
        clips = np.flatnonzero(held.fold == number)
        part = held.select(clips.tolist())
        for row, line in enumerate(lines):
            looks = part.looks[line]
            fused = _fused(part, looks, fits[int(number)].fusion)
            for column, prefix_s in enumerate(PREFIXES_S):
                at, cell = looks.at_speech(prefix_s), (row, column, clips)
                table["llr"][cell] = fused.llr[at]
                table["peak"][cell] = looks.highest(fused.llr, prefix_s)
                table["novelty"][cell] = fused.novelty[at]
                speech_ms[cell] = looks.evidence.speech_ms[at]
                attribution[cell] = fused.attribution[at]
                family_shares[cell] = fused.families[at]
    taught = {name for name, was in zip(sources, held.taught, strict=True) if was}
    return Judgements(
        name=name,
        clips=tuple(
            Clip.of(row, fold=int(fold), taught=row.source in taught)
            for row, fold in zip(held.rows, held.fold, strict=True)
        ),
        sources=sources,
        families=held.catalog.families,
        lines=lines,
        prefixes_s=PREFIXES_S,
        **table,
        speech_ms=speech_ms,
        attribution=attribution,
        family_shares=family_shares,
        accuse=np.array([fits[int(fold)].accuse for fold in held.fold], np.float32),
        novel=np.array([fits[int(fold)].novel for fold in held.fold], np.float32),
    )


def judged_at(held: HeldOut, line: str, prefix_s: float) -> Judged:
    """The evidence after so much speech, with what is true of each clip."""
    looks = held.looks[line]
    names = {source.name: i for i, source in enumerate(held.catalog.sources)}
    families = {name: i for i, name in enumerate(held.catalog.families)}
    synthetic = np.array([row.is_synthetic for row in held.rows], np.bool_)
    column = np.array([names.get(row.source, -1) for row in held.rows], np.int64)
    taught = (column >= 0) & held.taught[column] & synthetic
    return Judged(
        evidence=take(looks.evidence, looks.at_speech(prefix_s)),
        synthetic=synthetic,
        source=np.where(taught, column, -1),
        family=np.array(
            [families.get(r.family, -1) if r.is_synthetic else -1 for r in held.rows], np.int64
        ),
        membership=family_membership(held.catalog),
        seen=np.broadcast_to(held.taught, (len(held.rows), len(held.taught))),
        weight=even_weights(held.rows),
    )


def even_weights(rows: Sequence[Row]) -> npt.NDArray[np.float64]:
    """[N] each label sums to 1; the root keeps a page of one clip below a page of a hundred."""
    synthetic = np.array([row.is_synthetic for row in rows], np.bool_)
    per_page: dict[tuple[bool, str], int] = defaultdict(int)
    for row in rows:
        per_page[row.is_synthetic, row.page] += 1
    weight = np.array([per_page[row.is_synthetic, row.page] ** -0.5 for row in rows])
    weight *= np.where([row.is_wild for row in rows], 1.0, EASY)
    for label in (True, False):
        weight[synthetic == label] /= max(weight[synthetic == label].sum(), 1e-9)
    return weight


def join(parts: Sequence[Judged]) -> Judged:
    """Several judged sets as one."""
    return Judged(
        evidence=join_evidence([p.evidence for p in parts]),
        synthetic=np.concatenate([p.synthetic for p in parts]),
        source=np.concatenate([p.source for p in parts]),
        family=np.concatenate([p.family for p in parts]),
        membership=parts[0].membership,
        seen=np.concatenate([p.seen for p in parts]),
        weight=np.concatenate([p.weight for p in parts]) / len(parts),
    )


def _calls(held: HeldOut, line: str, fusion: FusionParams) -> Calls:
    looks = held.looks[line]
    llr = _fused(held, looks, fusion).llr
    return Calls(
        synthetic=np.array([row.is_synthetic for row in held.rows], np.bool_),
        peak=looks.highest(llr),
        final=llr[looks.at_speech(WHOLE_S)],
        weight=even_weights(held.rows),
    )


def _novel_bar(parts: Sequence[HeldOut], fusion: FusionParams) -> float:
    """-inf (everything is flagged) where no system was unknown."""
    novelty: list[Floats] = [np.zeros(0)]
    weight: list[Floats] = [np.zeros(0)]
    for part in parts:
        for line in part.looks:
            judged = judged_at(part, line, WHOLE_S)
            unknown = judged.synthetic & (judged.source < 0)
            said = fuse(judged.evidence, fusion, judged.membership).novelty
            novelty.append(said[unknown])
            weight.append(judged.weight[unknown])
    values, weights = np.concatenate(novelty), np.concatenate(weight).astype(np.float64)
    if not len(values):
        return float("-inf")
    return -weighted_quantile(-values, weights, UNKNOWN_FOUND)


def _fused(held: HeldOut, looks: Looks, fusion: FusionParams) -> Fused:
    return fuse(looks.evidence, fusion, family_membership(held.catalog))
