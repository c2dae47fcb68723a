"""`python -m trainer prepare` and `pairs`: their options, and what they do with them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainer.doctor_command import Commands


def add_prepare(commands: Commands) -> None:
    """Offer `prepare` among the trainer's commands."""
    prepare = commands.add_parser("prepare", help="write one manifest and one audio cache")
    prepare.add_argument("--out", type=Path, required=True)
    prepare.add_argument("--corpus", type=Path, help="folder with manifest.csv and its audio")
    prepare.add_argument(
        "--csv",
        type=Path,
        action="append",
        default=[],
        help="table with the columns path and label; may be given again",
    )
    prepare.add_argument(
        "--folder",
        type=Path,
        action="append",
        default=[],
        help="folder of bonafide/ and synthetic/SOURCE/ clips; may be given again",
    )
    prepare.add_argument(
        "--dataset",
        action="append",
        default=[],
        metavar="KIND=DIR",
        help="a published corpus as it lies on disk; trainer/published/README.md has the kinds",
    )
    prepare.add_argument(
        "--with",
        dest="asked",
        action="append",
        default=[],
        metavar="KIND.OPTION[=VALUE]",
        help="an option of one dataset, such as mlaad.protocol=DIR; may be given again",
    )
    prepare.add_argument("--classical", action="store_true", help="render the classical engines")
    prepare.add_argument("--prompts", action="store_true", help="fetch human telephone prompts")
    prepare.add_argument(
        "--pairs", type=Path, help="folder of human clips through vocoders; filled where it lacks"
    )
    prepare.set_defaults(run=_prepare)


def add_pairs(commands: Commands) -> None:
    """Offer `pairs` among the trainer's commands."""
    pairs = commands.add_parser("pairs", help="resynthesise the human clips of a corpus")
    pairs.add_argument("--corpus", type=Path, required=True)
    pairs.add_argument("--out", type=Path, required=True)
    pairs.add_argument(
        "--vocoder",
        action="append",
        default=[],
        help="one of its names, or a folder of `vocoder`; may be given again (default: all of DSP)",
    )
    pairs.set_defaults(run=_pairs)


def _prepare(options: argparse.Namespace) -> None:
    from trainer.prepare import prepare
    from trainer.published.catalogue import published

    prepared = prepare(
        options.out,
        corpus=options.corpus,
        tables=options.csv,
        folders=options.folder,
        datasets=published(options.dataset, options.asked),
        classical=options.classical,
        prompts=options.prompts,
        pairs=options.pairs,
    )
    print(prepared.table())


def _pairs(options: argparse.Namespace) -> None:
    from trainer.corpora import Gathered, add_corpus
    from trainer.pairs import make_pairs, originals_of
    from trainer.vocoders.catalogue import vocoders_named

    gathered = Gathered()
    add_corpus(gathered, options.corpus)
    vocoders = vocoders_named(options.vocoder)
    rows = make_pairs(options.out, originals_of(gathered.rows), vocoders)
    print(f"{options.out}: {len(rows)} clips of {len({row.source for row in rows})} vocoders")
