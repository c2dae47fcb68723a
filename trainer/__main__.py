"""The trainer's command line: `python -m trainer prepare|doctor|train|evaluate|export|...`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from streamtrace.errors import StreamTraceError
from trainer.baselines.command import add_baseline
from trainer.doctor_command import add_doctor
from trainer.prepare_command import add_pairs, add_prepare
from trainer.report_command import add_report
from trainer.ssl.command import add_teach


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code: 0 done, 1 a run that failed, 2 bad input or usage, 130 interrupted."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        return options.run(options) or 0
    except StreamTraceError as error:
        print(f"trainer: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        # A full disk or a folder without permission; training resumes from its last checkpoint.
        print(f"trainer: {error.filename or ''}: {error.strerror}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("trainer: interrupted; the same command goes on from here", file=sys.stderr)
        return 130


def _vocoder(options: argparse.Namespace) -> None:
    from trainer.audio_cache import Clips
    from trainer.vocoders.recipe import CONFIGS, read_recipe
    from trainer.vocoders.training import train_vocoder

    recipe = read_recipe(options.config or CONFIGS / f"{options.name}.toml")
    done = train_vocoder(
        recipe,
        Clips.load(options.data),
        options.out,
        minutes=options.minutes,
        threads=options.threads,
    )
    print(f"{done.out}: {done.step} of {done.steps} steps")


def _train(options: argparse.Namespace) -> None:
    from trainer.config import read_config
    from trainer.dataset import Dataset
    from trainer.members import fit_members
    from trainer.train import train

    overrides = {} if options.hold_out is None else {"hold_out": options.hold_out}
    config = read_config(options.config, **overrides)
    data = Dataset.load(options.data)
    done = train(
        config,
        data,
        options.out,
        threads=options.threads,
        workers=options.workers,
        teacher=options.teacher,
    )
    fit_members(config, data, options.out, workers=max(1, options.workers))
    print(f"{done.out}: {done.step} steps, {len(done.catalog.sources)} sources")


def _evaluate(options: argparse.Namespace) -> None:
    from trainer.dataset import Dataset
    from trainer.evaluate import evaluate
    from trainer.official_evaluation import evaluate_official, official_run
    from trainer.report_text import figures_table

    data = Dataset.load(options.data)
    official = official_run(data, options.runs)
    if official is not None:
        done = evaluate_official(data, official, options.out)
    else:
        done = evaluate(data, options.runs, options.out, same_page=options.same_page)
    print(figures_table(done.figures))


def _verify(options: argparse.Namespace) -> None:
    from trainer.dataset import Dataset
    from trainer.verify import verify

    done = verify(
        Dataset.load(options.data),
        options.runs,
        options.evaluation,
        lines=options.line or ["clean"],
        most=options.most,
    )
    print("\n".join(each.table() for each in done))
    if not all(each.holds for each in done):
        raise StreamTraceError("verify: the engine does not say what the trainer says")


def _export(options: argparse.Namespace) -> None:
    from trainer.dataset import Dataset
    from trainer.ship import ship

    ship(
        Dataset.load(options.data),
        options.run_dir,
        options.evaluation,
        options.out,
        name=options.id,
    )
    print(options.out)


def _alerts(options: argparse.Namespace) -> None:
    import json

    from streamtrace.encoder.alert_calibration import ALERTS_FILE
    from streamtrace.encoder.bundle import load_bundle
    from trainer.alert_fit import calibration_of
    from trainer.alert_paths import call_paths
    from trainer.dataset import Dataset

    bundle = load_bundle(options.model)
    paths = call_paths(
        bundle,
        Dataset.load(options.data),
        options.work,
        folds=options.fold,
        workers=options.workers,
    )
    hours = sum(path.seconds for path in paths) / 3600
    folds = "all folds" if options.fold is None else f"folds {options.fold}"
    made = f"python -m trainer alerts: {len(paths)} calls, {hours:.1f} h, {folds}"
    out = bundle.path / ALERTS_FILE
    out.write_text(json.dumps(calibration_of(bundle, paths, made).to_dict()) + "\n")
    print(out)


def _reexport(options: argparse.Namespace) -> None:
    from trainer.export import reexport

    bundle = reexport(options.bundle)
    print(f"{bundle.path}: {bundle.ref.id}, sha256 {bundle.ref.sha256}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m trainer", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    add_prepare(commands)
    add_pairs(commands)
    add_doctor(commands)
    add_teach(commands)

    vocoder = commands.add_parser("vocoder", help="train a small neural vocoder for pairs")
    vocoder.add_argument("name", help="istft, upsample-gan, ar, diffusion or rvq")
    vocoder.add_argument("--data", type=Path, required=True, help="what prepare wrote")
    vocoder.add_argument("--out", type=Path, required=True)
    vocoder.add_argument("--config", type=Path, help="a TOML file instead of the one of that name")
    vocoder.add_argument("--minutes", type=float, default=float("inf"), help="stop after so many")
    vocoder.add_argument("--threads", type=int, default=0, help="CPU threads (default: all)")
    vocoder.set_defaults(run=_vocoder)

    train = commands.add_parser("train", help="train, or go on with, one run")
    train.add_argument("--data", type=Path, required=True, help="what prepare wrote")
    train.add_argument("--out", type=Path, required=True)
    train.add_argument("--config", type=Path, default=Path(__file__).parent / "configs/base.toml")
    held = train.add_mutually_exclusive_group()
    held.add_argument("--hold-out", type=int, help="keep this fold out of training")
    held.add_argument(
        "--same-page",
        dest="hold_out",
        action="store_const",
        const=-2,
        help="keep a share of every page out, to be judged on known pages",
    )
    held.add_argument(
        "--official",
        dest="hold_out",
        action="store_const",
        const=-3,
        help="train on the rows that their own corpora train on, to be judged on their eval",
    )
    train.add_argument(
        "--teacher", type=Path, help="a run of `teach`, for loss.distil and loss.distil_labels"
    )
    train.add_argument("--threads", type=int, help="CPU threads (default: all)")
    train.add_argument(
        "--workers", type=int, default=0, help="processes that make batches (default: one thread)"
    )
    train.set_defaults(run=_train)

    evaluate = commands.add_parser("evaluate", help="judge held-out folds, fit the fusion")
    evaluate.add_argument("--data", type=Path, required=True)
    evaluate.add_argument("--out", type=Path, required=True)
    evaluate.add_argument(
        "runs", type=Path, nargs="+", help="one run for each held-out fold, or one official"
    )
    evaluate.add_argument("--same-page", type=Path, help="the run of `train --same-page`")
    evaluate.set_defaults(run=_evaluate)

    add_baseline(commands)
    add_report(commands)

    verify = commands.add_parser("verify", help="hold `streamtrace trace` against the judgements")
    verify.add_argument("--data", type=Path, required=True)
    verify.add_argument("--evaluation", type=Path, required=True, help="what evaluate wrote")
    verify.add_argument("runs", type=Path, nargs="+", help="the runs that were evaluated")
    verify.add_argument("--line", action="append", help="may be given again (default: clean)")
    verify.add_argument("--most", type=int, help="clips of each fold (default: all)")
    verify.set_defaults(run=_verify)

    export = commands.add_parser("export", help="write the bundle that serves")
    export.add_argument("--data", type=Path, required=True)
    export.add_argument("--run", dest="run_dir", type=Path, required=True)
    export.add_argument("--evaluation", type=Path, required=True)
    export.add_argument("--out", type=Path, required=True)
    export.add_argument("--id", default="default-4")
    export.set_defaults(run=_export)

    alerts = commands.add_parser(
        "alerts", help="calibrate a bundle's alerts on whole calls of pages its folds never saw"
    )
    alerts.add_argument("--data", type=Path, required=True, help="what prepare wrote")
    alerts.add_argument("--work", type=Path, required=True, help="keeps what the engine said")
    alerts.add_argument("--model", type=Path, help="a model directory (default: the packaged one)")
    alerts.add_argument("--fold", type=int, action="append", help="only these (default: all)")
    alerts.add_argument("--workers", type=int, default=1, help="processes that run the engine")
    alerts.set_defaults(run=_alerts)

    reexport = commands.add_parser(
        "reexport", help="write a bundle's graphs anew, from its own weights, where it lies"
    )
    reexport.add_argument("bundle", type=Path, help="a model directory")
    reexport.set_defaults(run=_reexport)
    return parser


if __name__ == "__main__":
    sys.exit(main())
