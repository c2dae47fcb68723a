"""The published scores of novelty on the same clips and embeddings, beside the fusion's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from streamtrace.tracing.logits import Floats
from streamtrace.values import Catalog
from trainer.ablation.effects import Gain, mean_drawn
from trainer.ablation.evidence import Held, Said
from trainer.bootstrap import Doubles, Drawn, Figure, PageDraws, Statistic
from trainer.judgements import Judgements
from trainer.lines import LINES
from trainer.metrics import Bools, auroc_of, eer_of, fpr_at_recall_of, within
from trainer.novelty import SCORES, Bank, novelty

OWN = "the fusion's own"
FIGURES = ("AUROC", "OOD-EER", "FPR95, 95 % of known kept", "FPR95, 95 % of unknown found")
BETTER = (1, -1, -1, -1)


@dataclass(frozen=True, slots=True)
class Scored:
    """One score of novelty: its figures, and how its AUROC differs from the fusion's own."""

    name: str
    figures: dict[str, Figure]
    over_own: Gain


@dataclass(frozen=True, slots=True, eq=False)
class Clips:
    """The synthetic clips of all folds over one line, with their scores by name."""

    pages: list[str]
    fold: np.ndarray  # [N]
    unknown: Bools  # [N]
    scores: dict[str, Floats]


def compared(
    folds: Sequence[Held],
    seeds: Sequence[tuple[Sequence[Said], Judgements]],
    catalog: Catalog,
    line: str,
    draws: int,
) -> list[Scored]:
    """Every score, as the mean over seeds; by seed what one member said, and what was judged."""
    each = [scored(folds, said, judged, catalog, line) for said, judged in seeds]
    pages = PageDraws(each[0].pages, draws=draws)
    drawn = {
        name: [[pages.of(_by_fold(clips, name, figure)) for clips in each] for figure in FIGURES]
        for name in (OWN, *SCORES)
    }
    found: list[Scored] = []
    for name, by_figure in drawn.items():
        gains = [a.minus(b) for a, b in zip(by_figure[0], drawn[OWN][0], strict=True)]
        agree = len({np.sign(one.value) for one in gains}) == 1
        figures = {
            figure: mean_drawn(one).figure for figure, one in zip(FIGURES, by_figure, strict=True)
        }
        found.append(Scored(name, figures, Gain(_mean(gains), agree)))
    return found


def _mean(gains: Sequence[Drawn]) -> Figure:
    return mean_drawn(gains).figure


def scored(
    folds: Sequence[Held], said: Sequence[Said], judged: Judgements, catalog: Catalog, line: str
) -> Clips:
    """Each fold's clips against its own bank: whole training clips of systems with a name."""
    column = {source.name: i for i, source in enumerate(catalog.sources)}
    own = {clip.sha256: i for i, clip in enumerate(judged.clips)}
    at = judged.place(line)
    parts: dict[str, list[Floats]] = {name: [] for name in (OWN, *SCORES)}
    pages: list[str] = []
    numbers: list[int] = []
    unknown: list[bool] = []
    for fold, member in zip(folds, said, strict=True):
        owner = np.array([column.get(row.source, -1) for row in fold.train], np.int64)
        named = np.flatnonzero(owner >= 0)
        bank = Bank(
            np.concatenate([member.taught[known]["embedding"][named] for known in LINES]),
            np.concatenate([member.taught[known]["source"][named] for known in LINES]),
            np.tile(owner[named], len(LINES)),
        )
        seen = {row.source for row in fold.train}
        chosen = [i for i, row in enumerate(fold.test) if row.is_synthetic]
        look = fold.first[1:][chosen] - 1
        embedding = member.looks[line]["embedding"][look]
        logits = member.looks[line]["source"][look]
        for name in SCORES:
            parts[name].append(novelty(name, embedding, logits, bank))
        rows = [fold.test[i] for i in chosen]
        parts[OWN].append(judged.novelty[at][[own[row.sha256] for row in rows]])
        pages += [row.page for row in rows]
        numbers += [fold.number] * len(rows)
        unknown += [row.source not in seen or row.source not in column for row in rows]
    return Clips(
        pages,
        np.array(numbers),
        np.array(unknown, np.bool_),
        {name: np.concatenate(each) for name, each in parts.items()},
    )


def _by_fold(clips: Clips, name: str, figure: str) -> Statistic:
    """The mean over folds: each has an embedding space, and so a scale, of its own."""
    each: list[Statistic] = []
    for number in np.unique(clips.fold):
        inside = clips.fold == number
        score, new = clips.scores[name][inside], clips.unknown[inside]
        if 0 < new.sum() < len(new):
            each.append(within(inside, _figure(figure, score, new)))

    def mean(counts: Doubles) -> Doubles:
        values = np.stack([np.full(len(counts), np.nan), *(one(counts) for one in each)])
        known = np.isfinite(values)
        total = np.where(known, values, 0).sum(axis=0)
        return np.where(known.any(axis=0), total / np.maximum(known.sum(axis=0), 1), np.nan)

    return mean


def _figure(figure: str, score: Floats, new: Bools) -> Statistic:
    if figure == FIGURES[0]:
        return auroc_of(score, new)
    if figure == FIGURES[1]:
        return eer_of(score, new)
    if figure == FIGURES[2]:
        return fpr_at_recall_of(-score, ~new)
    return fpr_at_recall_of(score, new)
