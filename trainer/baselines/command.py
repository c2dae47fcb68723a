"""`python -m trainer baseline`: its options, and its figures on stdout."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # argparse's own name for what `add_subparsers` returns; it has no public one.
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # pyright: ignore


def add_baseline(commands: Commands) -> None:
    """Offer the baselines among the trainer's commands."""
    baseline = commands.add_parser("baseline", help="judge the same clips by another method")
    baseline.add_argument("name", help="one of those in trainer/baselines/README.md")
    baseline.add_argument("--data", type=Path, required=True, help="what prepare wrote")
    baseline.add_argument("--out", type=Path, required=True)
    baseline.add_argument("--folds", type=int, default=3)
    baseline.add_argument(
        "--line", action="append", help="may be given again (default: clean, g711)"
    )
    baseline.add_argument(
        "--wild", action="store_true", help="judge no engines, prompts and pairs: half the clips"
    )
    baseline.add_argument("--weights", type=Path, help="published weights (aasist)")
    baseline.add_argument("--threads", type=int, default=1, help="CPU threads")
    baseline.set_defaults(run=_baseline)


def _baseline(options: argparse.Namespace) -> None:
    import torch

    from trainer.baselines.catalogue import baseline_named
    from trainer.baselines.run import run_baseline
    from trainer.baselines.summary import write_summary
    from trainer.dataset import Dataset
    from trainer.lines import LINES

    chosen = baseline_named(options.name, weights=options.weights)
    torch.set_num_threads(options.threads)
    table = run_baseline(
        chosen,
        Dataset.load(options.data),
        options.out,
        folds=options.folds,
        lines=options.line or LINES,
        only_wild=options.wild,
    )
    print(write_summary(table, options.out))
