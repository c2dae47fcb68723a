"""A training run in a process of its own, which can be told where to die.

python -m tests.trainer.child DATA OUT CONFIG_JSON [step|rename NUMBER SIGNAL]
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from torch.optim.optimizer import register_optimizer_step_pre_hook

from trainer.config import config_from_dict
from trainer.dataset import Dataset
from trainer.train import train


def die(event: str, number: int, signal_number: int) -> None:
    """Send ourselves a signal in the midst of a step, or of the swap behind a checkpoint.

    Of several processes only the last does, which is not the one that saves.
    """
    if int(os.environ.get("RANK", "0")) + 1 != int(os.environ.get("WORLD_SIZE", "1")):
        return
    seen = 0

    def count(*_: object) -> None:
        nonlocal seen
        seen += 1
        if seen == number:
            os.kill(os.getpid(), signal_number)

    def audit(name: str, _: object) -> None:
        if name == "os.rename":
            count()

    if event == "step":
        register_optimizer_step_pre_hook(count)
    else:
        sys.addaudithook(audit)


if __name__ == "__main__":
    data, out, config, *death = sys.argv[1:]
    prepared = Dataset.load(Path(data))
    if death:
        die(death[0], int(death[1]), int(death[2]))
    train(config_from_dict(json.loads(config)), prepared, Path(out), threads=1)
