"""From a finished run and its folds' evaluation to the bundle that serves."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from trainer.dataset import Dataset
from trainer.evaluate import Evaluation, read_evaluation
from trainer.export import write_bundle
from trainer.judge import Run, gallery_tensors, load_run
from trainer.manifest import Row
from trainer.report_text import figures_table


def ship(data: Dataset, run_dir: Path, evaluation_dir: Path, out: Path, *, name: str) -> None:
    """Encoder and heads of the run, gallery of all its rows, fusion fitted on held-out folds."""
    run = load_run(run_dir, data)
    evaluation = read_evaluation(evaluation_dir)
    rows = data.training_rows(run.config.folds, run.config.hold_out)
    heads = {**run.tensors, **gallery_tensors(run, data, rows)}
    meta: dict[str, object] = {
        "id": name,
        "catalog": {
            "sources": [asdict(source) for source in run.catalog.sources],
            "families": list(run.catalog.families),
        },
        "fusion": asdict(evaluation.fusion),
        "policy": asdict(evaluation.policy),
        "training": {
            "steps": run.step,
            "clips": len(rows),
            "hours": round(sum(data.rows[i].seconds for i in rows) / 3600, 2),
            "config": run.config.to_dict(),
        },
    }
    card = model_card(name, run, evaluation, [data.rows[i] for i in rows])
    write_bundle(out, encoder=run.model.encoder, heads=heads, meta=meta, model_card=card)


def model_card(name: str, run: Run, evaluation: Evaluation, rows: Sequence[Row]) -> str:
    """What it is, what it was trained on, how well it does and where it fails."""
    parameters = sum(p.numel() for p in run.model.encoder.parameters())
    config = run.config
    labels = Counter(row.label for row in rows)
    hours = sum(row.seconds for row in rows) / 3600
    pages: dict[str, Counter[str]] = defaultdict(Counter)
    licences: dict[str, str] = {}
    for row in rows:
        pages[row.page][row.label] += 1
        licences.setdefault(row.page, row.licence)
    table = "\n".join(
        f"| {page} | {count['bonafide']} | {count['synthetic']} | {licences[page] or '-'} |"
        for page, count in sorted(pages.items())
    )
    return f"""# Model card: {name}

Two halves share every 240 ms step of a call. A streaming Conformer ({parameters / 1e6:.2f} M
parameters, 25 frames a second) tells speech from what is none and gives one opinion. Beside it lies
a fixed signature of {config.encoder.signature.width} measurements a frame (cepstra, evenness of
phase, fine structure, linear prediction), read by {config.ensemble.members} small networks and a
linear discriminant. They name {len(run.catalog.sources)} sources of {len(run.catalog.families)}
families, and a gallery of prototypes says how near a voice comes to any. Trained from scratch on
{len(rows)} clips ({hours:.1f} h: {labels["bonafide"]} human, {labels["synthetic"]} synthetic), the
Conformer for {run.step} steps, with the same random telephone channel for both labels.

## Use
Screening of live calls and files, beside other signals. Read the figures
before acting on a verdict, and never act on one alone. It says nothing of who is speaking.

## Figures
Percent, with 95 % intervals from a bootstrap over pages. Every clip was judged by a model that saw
neither its page nor anything else of its fold; fusion and thresholds came from the other folds. The
bundle's weights were trained once more, on all folds, with the same configuration. `neural` and
`classical` are never pooled. `nuisance-only` is what silence, level, bandwidth and duration alone
reach on the same split: a lead over it is what the voice itself gave away.

{figures_table(evaluation.figures)}
Human clips are those of the pages; telephone prompts are counted in their own row only. System
figures are over clips whose system another page taught; `unknown` as first answer counts as wrong
unless left out. An interval of novelty AUROC that contains 50 is chance.

## Known failures
- Pages, not voices, explain much of what simple models find in such material; on a recording chain
  unlike any listed here, expect figures at the bad end of the intervals.
- Speech of 2023 and later language-model synthesisers is thin in the training data.
- Heavy loss, clipping and noise make it unsure; it then says `inconclusive`.
- Some human telephone prompts were GSM files and no synthetic clip was: a GSM line may look human.
- Names of kinds with one page in training (`neural-codec`, `unit-resynthesis`, `vocoder-istft`)
  cannot be checked across pages at all.
- Most human speech here is read aloud; spontaneous telephone speech is nearly absent.

## Training data by page
Most pages state no licence. No audio is part of this bundle.

| page | human clips | synthetic clips | licence stated |
| --- | --- | --- | --- |
{table}
"""
