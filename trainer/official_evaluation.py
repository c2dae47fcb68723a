"""Judge a run on the split that its corpora were published with, as `evaluate` judges folds.

Fusion, calibration and thresholds come from dev alone, figures from eval alone. A system is new
where training did not hold it; whether dev already met it is the protocol's doing, and said.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from trainer.bootstrap import DRAWS
from trainer.config import OFFICIAL
from trainer.crossfit import fit_on, judgements_of
from trainer.dataset import Dataset
from trainer.evaluate import Evaluation, Fold, listen, write_evaluation
from trainer.frechet import pooled_drifts
from trainer.judge import Judge, load_judge
from trainer.judgements import save_judgements
from trainer.manifest import Row
from trainer.nuisance_judge import NuisanceFeatures, Split, judge_by_nuisance
from trainer.official import official_split
from trainer.report import FRECHET, JUDGEMENTS, NUISANCE, build_report, write_report


def official_run(data: Dataset, runs: Sequence[Path]) -> Judge | None:
    """The one run, if it was trained with `--official`."""
    run = load_judge(runs[0], data) if len(runs) == 1 else None
    return run if run is not None and run.config.hold_out == OFFICIAL else None


def evaluate_official(data: Dataset, run: Judge, out: Path, *, draws: int = DRAWS) -> Evaluation:
    """Leave in `out` all that `evaluate` leaves of folds; a second call hears nothing again."""
    rows = official_split(data.rows)
    leaked = twice_unknown(
        [data.rows[i] for i in rows.train],
        [data.rows[i] for i in rows.dev],
        [data.rows[i] for i in rows.judged],
    )
    if leaked:
        print(
            f"official split: {', '.join(leaked)} new to training, and in dev as in eval: the bar "
            "for `unknown` has met them",
            file=sys.stderr,
        )
    everyone = [*rows.dev, *rows.judged]
    held, drift = listen(data, Fold(run, Split(list(rows.train), everyone, OFFICIAL)), out)
    dev = held.select(range(len(rows.dev)))
    judged = held.select(range(len(rows.dev), len(everyone)))
    fitted = fit_on([dev])
    judgements = judgements_of(judged, {OFFICIAL: fitted}, name=run.config.name)
    save_judgements(judgements, out / JUDGEMENTS)
    (out / FRECHET).write_text(json.dumps(pooled_drifts([drift]), indent=1) + "\n")
    judge_by_nuisance(
        out / NUISANCE,
        data,
        [Split(list(rows.train), list(rows.judged), OFFICIAL)],
        run.catalog,
        judgements.lines,
        NuisanceFeatures(data, out),
    )
    report = build_report(out, draws=draws)
    write_report(report, out / "report")
    return write_evaluation(fitted, {OFFICIAL: fitted}, report, out)


def twice_unknown(train: Sequence[Row], dev: Sequence[Row], judged: Sequence[Row]) -> list[str]:
    """Systems that training does not hold, and dev and eval both do."""
    taught, met, asked = (
        {row.source for row in part if row.is_synthetic} for part in (train, dev, judged)
    )
    return sorted((met & asked) - taught)
