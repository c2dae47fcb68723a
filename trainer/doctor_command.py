"""`python -m trainer doctor`: its options, and its report or JSON on stdout."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # argparse's own name for what `add_subparsers` returns; it has no public one.
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # pyright: ignore


def add_doctor(commands: Commands) -> None:
    """Offer the doctor among the trainer's commands."""
    doctor = commands.add_parser("doctor", help="examine prepared data and its splits")
    doctor.add_argument("--data", type=Path, required=True, help="what prepare wrote")
    doctor.add_argument("--folds", type=int, default=3)
    doctor.add_argument("--seed", type=int, default=0, help="of the same-page and random splits")
    doctor.add_argument(
        "--split", type=Path, help="examine this table of sha256 (or path) and fold instead"
    )
    doctor.add_argument(
        "--line", action="append", help="over which nuisance is measured (default: clean, g711)"
    )
    doctor.add_argument("--json", action="store_true", help="print JSON instead of tables")
    doctor.set_defaults(run=_doctor)


def _doctor(options: argparse.Namespace) -> int:
    """Exit code: 0 sound, 1 something found that must not be, 2 bad input."""
    from trainer.doctor import LINES, examine_folder
    from trainer.doctor_text import report

    diagnosis = examine_folder(
        options.data,
        folds=options.folds,
        seed=options.seed,
        given=options.split,
        lines=options.line or LINES,
    )
    print(json.dumps(diagnosis.as_dict(), indent=1) if options.json else report(diagnosis))
    return diagnosis.exit_code
