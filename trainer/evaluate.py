"""Page-disjoint figures of the method, and the calibration that a bundle ships with.

Every fold's model judges pages it never saw. Each fold's figures use fusion and thresholds that
were fitted on the other folds' evidence; the bundle's own fusion is fitted on all of it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from streamtrace.fusion.fuse import FusionParams
from streamtrace.fusion.policy import Policy
from trainer.bootstrap import Figure, by_page
from trainer.calibrate import Judged, fit, fit_policy, fuse_all
from trainer.dataset import Dataset
from trainer.judge import hear, join, judge, load_run
from trainer.lines import LINES
from trainer.manifest import CLASSICAL_FAMILIES, DataError, Row
from trainer.metrics import (
    auroc,
    calibration_error,
    eer,
    fpr_at_recall,
    macro_recall,
    top_k,
)
from trainer.nuisance import nuisance_scores

POLICY_NAME = "default@1"
PROMPTS_ORIGIN = "prompts"


@dataclass(frozen=True, slots=True, eq=False)
class FoldResult:
    """One held-out fold: its rows, and what was judged of them on every line."""

    rows: list[Row]
    whole: dict[str, Judged]
    early: dict[str, Judged]
    train: list[int]
    test: list[int]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What `evaluate` leaves for `export` and for the model card."""

    fusion: FusionParams
    policy: Policy
    figures: dict[str, dict[str, Figure]]


def evaluate(data: Dataset, runs: Sequence[Path], out: Path) -> Evaluation:
    """Judge every fold with its own run, then fit, cross-fit, and write figures and fusion."""
    folds: list[FoldResult] = []
    held: set[int] = set()
    for path in runs:
        run = load_run(path, data)
        fold = run.config.hold_out
        if fold < 0 or fold in held:
            raise DataError(f"{path}: want one run for each held-out fold, this is hold_out={fold}")
        held.add(fold)
        train = data.training_rows(run.config.folds, fold)
        test = data.held_out_rows(run.config.folds, fold)
        seen = {data.rows[i].source for i in train}
        heard = hear(run, data, train, test, out / f"fold{fold}.safetensors")
        rows = [data.rows[i] for i in test]
        whole: dict[str, Judged] = {}
        early: dict[str, Judged] = {}
        for line in LINES:
            early[line], whole[line] = judge(run, heard, rows, seen, line)
        folds.append(FoldResult(rows, whole, early, train, test))
    if len(folds) < 2:
        raise DataError("evaluate: want the runs of at least two held-out folds")

    def evidence(of: Sequence[FoldResult]) -> Judged:
        return join([part for f in of for part in (*f.whole.values(), *f.early.values())])

    shares: dict[str, list[np.ndarray]] = {}
    for number, fold in enumerate(folds):
        others = [f for i, f in enumerate(folds) if i != number]
        params = fit(evidence(others))
        policy = fit_policy(evidence(others), params, name=POLICY_NAME)
        for line in LINES:
            fused = fuse_all(fold.whole[line], params)
            begun = fuse_all(fold.early[line], params)
            for key, value in {
                "p": fused.spoof_probability,
                "learned": fold.whole[line].evidence.spoof_logit,
                "spectral": fold.whole[line].evidence.spectral_logit,
                "early_p": begun.spoof_probability,
                "accused": fused.spoof_probability >= policy.accuse,
                "novelty": fused.novelty,
                "attribution": fused.attribution,
                "families": fused.families,
                "synthetic": fold.whole[line].synthetic,
                "source": fold.whole[line].source,
                "family": fold.whole[line].family,
            }.items():
                shares.setdefault(f"{line} {key}", []).append(np.asarray(value))
        shares.setdefault("clean nuisance", []).append(
            nuisance_scores(data, fold.train, fold.test, line="clean")
        )
        shares.setdefault("g711 nuisance", []).append(
            nuisance_scores(data, fold.train, fold.test, line="g711")
        )
    rows = [row for f in folds for row in f.rows]
    arrays = {k: np.concatenate(v) for k, v in shares.items()}
    figures = {
        f"{track} / {line}": track_figures(rows, arrays, line, track)
        for track in ("neural", "classical")
        for line in LINES
    }
    fusion = fit(evidence(folds))
    policy = fit_policy(evidence(folds), fusion, name=POLICY_NAME)
    evaluation = Evaluation(fusion, policy, figures)
    write_evaluation(evaluation, out)
    return evaluation


def track_figures(
    rows: Sequence[Row], arrays: dict[str, np.ndarray], line: str, track: str
) -> dict[str, Figure]:
    """The table of one track; classical engines are never pooled with neural speech.

    Telephone prompts stand apart too: a studio voice on a page of its own is easily told, and would
    flatter every figure. How often they are accused is said.
    """

    def belongs(row: Row) -> bool:
        if row.label == "bonafide":
            return not _is_prompt(row)
        return (row.family in CLASSICAL_FAMILIES) == (track == "classical")

    prompts = np.array([_is_prompt(row) for row in rows])
    keep = np.array([belongs(row) for row in rows])
    pages = [row.page for row, kept in zip(rows, keep, strict=True) if kept]
    a = {k.removeprefix(f"{line} "): v[keep] for k, v in arrays.items() if k.startswith(line)}
    synthetic = a["synthetic"]
    known = synthetic & (a["source"] >= 0)
    figures = {
        "detection EER": by_page(lambda i: eer(a["p"][i], synthetic[i]), pages),
        "detection AUROC": by_page(lambda i: auroc(a["p"][i], synthetic[i]), pages),
        "detection AUROC, learned member": by_page(
            lambda i: auroc(a["learned"][i], synthetic[i]), pages
        ),
        "detection AUROC, spectral member": by_page(
            lambda i: auroc(a["spectral"][i], synthetic[i]), pages
        ),
        "detection EER at 1.9 s": by_page(lambda i: eer(a["early_p"][i], synthetic[i]), pages),
        "nuisance-only EER": by_page(lambda i: eer(a["nuisance"][i], synthetic[i]), pages),
        "nuisance-only AUROC": by_page(lambda i: auroc(a["nuisance"][i], synthetic[i]), pages),
        "human clips accused": by_page(lambda i: _mean(a["accused"][i][~synthetic[i]]), pages),
        "synthetic clips accused": by_page(lambda i: _mean(a["accused"][i][synthetic[i]]), pages),
        "calibration error": by_page(lambda i: calibration_error(a["p"][i], synthetic[i]), pages),
    }
    if prompts.any():
        accused = arrays[f"{line} accused"][prompts]
        figures["telephone prompts accused"] = by_page(
            lambda i: _mean(accused[i]), [r.page for r in rows if _is_prompt(r)]
        )
    if track == "classical":
        return figures

    def of(mask: np.ndarray, i: np.ndarray) -> np.ndarray:
        return i[mask[i]]

    named = synthetic & (a["family"] >= 0)
    figures |= {
        "family top-1": by_page(
            lambda i: top_k(a["families"][of(named, i)], a["family"][of(named, i)], 1), pages
        ),
        "family macro recall": by_page(
            lambda i: macro_recall(a["families"][of(named, i)], a["family"][of(named, i)]), pages
        ),
        "system top-1": by_page(
            lambda i: top_k(a["attribution"][of(known, i)], a["source"][of(known, i)], 1), pages
        ),
        "system top-1, unknown left out": by_page(
            lambda i: top_k(a["attribution"][of(known, i), :-1], a["source"][of(known, i)], 1),
            pages,
        ),
        "system top-5": by_page(
            lambda i: top_k(a["attribution"][of(known, i)], a["source"][of(known, i)], 5), pages
        ),
        "novelty AUROC": by_page(
            lambda i: auroc(a["novelty"][of(synthetic, i)], ~known[of(synthetic, i)]), pages
        ),
        "novelty FPR95": by_page(
            lambda i: fpr_at_recall(a["novelty"][of(synthetic, i)], ~known[of(synthetic, i)]),
            pages,
        ),
    }
    return figures


def write_evaluation(evaluation: Evaluation, out: Path) -> None:
    """`evaluation.json` for export, `figures.md` for people."""
    out.mkdir(parents=True, exist_ok=True)
    plain = {
        "fusion": asdict(evaluation.fusion),
        "policy": asdict(evaluation.policy),
        "figures": {
            track: {name: asdict(figure) for name, figure in table.items()}
            for track, table in evaluation.figures.items()
        },
    }
    (out / "evaluation.json").write_text(json.dumps(plain, indent=1) + "\n")
    (out / "figures.md").write_text(figures_table(evaluation.figures))


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
            track: {name: Figure(**figure) for name, figure in table.items()}
            for track, table in plain["figures"].items()
        },
    )


def figures_table(figures: dict[str, dict[str, Figure]]) -> str:
    """Markdown, percent with 95 % intervals by page."""
    tracks = list(figures)
    names = list(dict.fromkeys(name for table in figures.values() for name in table))
    lines = ["| percent | " + " | ".join(tracks) + " |", "| --- |" + " --- |" * len(tracks)]
    for name in names:
        cells = [str(figures[t][name]) if name in figures[t] else "-" for t in tracks]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _is_prompt(row: Row) -> bool:
    return row.origin.startswith(PROMPTS_ORIGIN)


def _mean(x: np.ndarray) -> float:
    return float(x.mean()) if len(x) else float("nan")
