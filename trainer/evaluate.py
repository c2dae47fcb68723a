"""Judge what no training saw, keep the judgements, and fit the fusion that a bundle ships with.

Every fold's model judges pages it never saw, with fusion and thresholds from the other folds'
evidence; the bundle's own fusion is fitted on all of it. Figures come from the judgements alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from streamtrace.fusion.fuse import FusionParams
from streamtrace.fusion.policy import Policy
from trainer.bootstrap import DRAWS, Figure
from trainer.config import OFFICIAL, SAME_PAGE as ON_KNOWN_PAGES
from trainer.crossfit import Fitted, HeldOut, cross_fitted, fit_on, judgements_of
from trainer.dataset import Dataset
from trainer.frechet import Drift, drifts, pooled_drifts
from trainer.judge import Judge, hear, load_judge
from trainer.judgements import joined, save_judgements
from trainer.manifest import DataError
from trainer.nuisance_judge import NuisanceFeatures, Split, judge_by_nuisance
from trainer.report import (
    FRECHET,
    JUDGEMENTS,
    NUISANCE,
    SAME_PAGE,
    SAME_PAGE_NUISANCE,
    Report,
    build_report,
    write_report,
)

PAIRS_PER_FOLD = 300  # of our own making: enough for a track of their own, and quickly heard


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What `evaluate` leaves for `export` and for the model card."""

    fusion: FusionParams
    policy: Policy
    figures: dict[str, dict[str, Figure]]


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """One run with the rows it may not see."""

    run: Judge
    split: Split


def evaluate(
    data: Dataset,
    runs: Sequence[Path],
    out: Path,
    *,
    same_page: Path | None = None,
    draws: int = DRAWS,
) -> Evaluation:
    """Judge every fold with its own run, then fit, cross-fit, and write judgements and figures."""
    folds = load_folds(data, runs)
    held: list[HeldOut] = []
    moved: list[list[Drift]] = []
    for fold in folds:
        one, drift = listen(data, fold, out)
        held.append(one)
        moved.append(drift)
    fits, judged = cross_fitted(held, name=folds[0].run.config.name)
    save_judgements(joined(judged), out / JUDGEMENTS)
    (out / FRECHET).write_text(json.dumps(pooled_drifts(moved), indent=1) + "\n")
    features = NuisanceFeatures(data, out)
    catalog, lines = folds[0].run.catalog, judged[0].lines
    splits = [fold.split for fold in folds]
    judge_by_nuisance(out / NUISANCE, data, splits, catalog, lines, features)
    if same_page is not None:
        known = load_same_page(data, same_page, folds)
        heard, _ = listen(data, known, out)
        judgements = judgements_of(_by_page_fold(data, heard, folds), fits, name=judged[0].name)
        save_judgements(judgements, out / SAME_PAGE)
        beside = out / SAME_PAGE_NUISANCE
        judge_by_nuisance(beside, data, [known.split], catalog, lines, features)
    fitted = fit_on(held)
    report = build_report(out, draws=draws)
    write_report(report, out / "report")
    return write_evaluation(fitted, fits, report, out)


def load_folds(data: Dataset, runs: Sequence[Path]) -> list[Fold]:
    """The runs by the fold that each held out; no two may have held out the same."""
    folds: dict[int, Fold] = {}
    for path in runs:
        fold = load_fold(data, path)
        number, count = fold.split.fold, fold.run.config.folds
        first = next(iter(folds.values()), fold).run.config.folds
        if number in folds:
            raise DataError(
                f"{path}: want one run for each held-out fold, this is hold_out={number} again"
            )
        if count != first:
            raise DataError(
                f"{path}: trained with {count} folds, {runs[0]} with {first}; "
                "want runs of one split"
            )
        folds[number] = fold
    if len(folds) < 2:
        raise DataError("evaluate: want the runs of at least two held-out folds")
    return [folds[number] for number in sorted(folds)]


def load_fold(data: Dataset, path: Path) -> Fold:
    """One run, the rows that it may see, and those it is judged on."""
    run = load_judge(path, data)
    number, count = run.config.hold_out, run.config.folds
    if number < 0:
        raise DataError(f"{path}: want one run for each held-out fold, this is hold_out={number}")
    return Fold(run, fold_split(data, count, number))


def fold_split(data: Dataset, folds: int, number: int) -> Split:
    """What a judge of one fold may learn from, and all clips that it is judged on."""
    pairs = _few(data, data.held_out_pairs(folds, number))
    test = [*data.held_out_rows(folds, number), *pairs]
    return Split(data.training_rows(folds, number), test, number)


def load_same_page(data: Dataset, path: Path, folds: Sequence[Fold]) -> Fold:
    """The run that held out a share of every page."""
    run = load_judge(path, data)
    if run.config.hold_out != ON_KNOWN_PAGES:
        raise DataError(f"{path}: trained with hold_out={run.config.hold_out}, want --same-page")
    if len(folds) != folds[0].run.config.folds:
        raise DataError(f"{path}: known pages are judged with every fold's fit; want all folds")
    rows = (
        data.training_rows(run.config.folds, ON_KNOWN_PAGES),
        data.held_out_rows(run.config.folds, ON_KNOWN_PAGES),
    )
    if not rows[1]:
        raise DataError(
            f"{path}: no page holds a clip that could be spared: every source has one clip there"
        )
    return Fold(run, Split(*rows, fold=ON_KNOWN_PAGES))


def listen(data: Dataset, fold: Fold, out: Path) -> tuple[HeldOut, list[Drift]]:
    """All looks at a fold's clips, and how far its embeddings moved from training's."""
    train, test, number = fold.split.train, fold.split.test, fold.split.fold
    name = {ON_KNOWN_PAGES: "same-page", OFFICIAL: "official"}.get(number, f"fold{number}")
    heard = hear(fold.run, data, train, test, out / f"heard-{name}.safetensors")
    rows = tuple(data.rows[i] for i in test)
    held = HeldOut(
        rows=rows,
        fold=np.full(len(rows), number, np.int64),
        looks=heard.looks,
        catalog=fold.run.catalog,
        taught=heard.taught,
    )
    trained = [data.rows[i] for i in train]
    return held, drifts(heard.train_embeddings, trained, heard.embeddings, rows)


def write_evaluation(
    fitted: Fitted, fits: Mapping[int, Fitted], report: Report, out: Path
) -> Evaluation:
    """`evaluation.json`, for export; each fold's own fit beside the one that ships."""
    evaluation = Evaluation(fitted.fusion, fitted.policy, report.figures())
    plain = {
        "fusion": asdict(fitted.fusion),
        "policy": asdict(fitted.policy),
        "folds": {
            number: {"fusion": asdict(fit.fusion), "policy": asdict(fit.policy)}
            for number, fit in fits.items()
        },
        "figures": {
            place: {name: asdict(figure) for name, figure in table.items()}
            for place, table in evaluation.figures.items()
        },
    }
    (out / "evaluation.json").write_text(json.dumps(plain, indent=1) + "\n")
    return evaluation


def read_evaluation(out: Path) -> Evaluation:
    """The inverse of `write_evaluation`."""
    path = out / "evaluation.json"
    try:
        plain = json.loads(path.read_text())
    except (OSError, json.JSONDecodeError) as cause:
        raise DataError(f"{path}: no evaluation to read ({cause}); run evaluate first") from cause
    return Evaluation(
        fusion=FusionParams.from_dict(plain["fusion"]),
        policy=Policy.from_dict(plain["policy"]),
        figures={
            place: {name: Figure(**figure) for name, figure in table.items()}
            for place, table in plain["figures"].items()
        },
    )


def _by_page_fold(data: Dataset, heard: HeldOut, folds: Sequence[Fold]) -> HeldOut:
    """A clip of a known page is judged with the fit that never saw that page's evidence."""
    home = {data.rows[i].page: fold.split.fold for fold in folds for i in fold.split.test}
    return HeldOut(
        rows=heard.rows,
        fold=np.array([home[row.page] for row in heard.rows], np.int64),
        looks=heard.looks,
        catalog=heard.catalog,
        taught=heard.taught,
    )


def _few(data: Dataset, pairs: Sequence[int]) -> list[int]:
    """All that was made out of some human clips, drawn by their hashes."""
    of_original: dict[str, list[int]] = {}
    for i in pairs:
        of_original.setdefault(data.rows[i].original_sha256, []).append(i)
    chosen: list[int] = []
    for original in sorted(of_original):
        if len(chosen) >= PAIRS_PER_FOLD:
            break
        chosen += of_original[original]
    return chosen
