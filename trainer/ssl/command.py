"""`python -m trainer teach`: an offline system, and a teacher for the streaming one."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainer.doctor_command import Commands

CONFIG = Path(__file__).parents[1] / "configs" / "ssl.toml"


def add_teach(commands: Commands) -> None:
    """Offer `teach` among the trainer's commands."""
    teach = commands.add_parser(
        "teach", help="train an offline system on a self-supervised encoder, also as a teacher"
    )
    teach.add_argument("--data", type=Path, required=True, help="what prepare wrote")
    teach.add_argument("--out", type=Path, required=True)
    teach.add_argument("--config", type=Path, default=CONFIG)
    teach.add_argument("--model", help="a folder, or a name on the hub; instead of ssl.model")
    held = teach.add_mutually_exclusive_group()
    held.add_argument("--hold-out", type=int, help="keep this fold out of training")
    held.add_argument("--same-page", dest="hold_out", action="store_const", const=-2)
    held.add_argument("--official", dest="hold_out", action="store_const", const=-3)
    teach.add_argument("--threads", type=int, help="CPU threads (default: all)")
    teach.set_defaults(run=_teach)


def _teach(options: argparse.Namespace) -> None:
    from trainer.config import read_config
    from trainer.dataset import Dataset
    from trainer.ssl.teach import teach

    overrides = {} if options.hold_out is None else {"hold_out": options.hold_out}
    config = read_config(options.config, **overrides)
    if options.model:
        config = replace(config, ssl=replace(config.ssl, model=options.model))
    steps = teach(config, Dataset.load(options.data), options.out, threads=options.threads)
    print(f"{options.out}: {steps} steps on {config.ssl.model}, layer {config.ssl.layer}")
