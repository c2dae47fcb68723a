"""`python -m trainer report`: of judgements that are there, or of an ablation that it runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from streamtrace.errors import SettingsError

if TYPE_CHECKING:
    from trainer.doctor_command import Commands


def add_report(commands: Commands) -> None:
    """Into the trainer's command line."""
    report = commands.add_parser(
        "report", help="figures of judgements, or a whole ablation with everything it needs"
    )
    either = report.add_mutually_exclusive_group(required=True)
    either.add_argument("--evaluation", type=Path, help="what evaluate wrote")
    either.add_argument("--config", type=Path, help="an ablation: trainer/configs/ablation.toml")
    report.add_argument("--against", type=Path, help="an earlier model's evaluation, to pair with")
    report.add_argument("--data", type=Path, help="of an ablation: what prepare wrote")
    report.add_argument("--work", type=Path, help="of an ablation: keeps its runs and judgements")
    report.add_argument(
        "--beside",
        type=Path,
        action="append",
        default=[],
        help="of an ablation: a folder of judgements, or of such folders; may be given again",
    )
    report.add_argument(
        "--workers", type=int, default=2, help="of an ablation: processes (default: 2)"
    )
    report.add_argument(
        "--out", type=Path, required=True, help="OUT.json and OUT.md; of an ablation OUT.html, too"
    )
    report.add_argument("--draws", type=int, default=1000, help="resamplings of pages")
    report.set_defaults(run=run_report)


def run_report(options: argparse.Namespace) -> None:
    """Prints what was written."""
    if options.config is not None:
        from trainer.ablation.report import report_ablation

        if options.data is None or options.work is None:
            raise SettingsError("report --config: want --data and --work beside it")
        written = report_ablation(
            options.config,
            options.data,
            options.work,
            options.out,
            beside=options.beside,
            workers=options.workers,
        )
    else:
        from trainer.report import build_report, write_report

        report = build_report(options.evaluation, against=options.against, draws=options.draws)
        written = write_report(report, options.out)
    for path in written:
        print(path)
