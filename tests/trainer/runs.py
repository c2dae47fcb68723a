"""Tiny data and tiny runs, shared by the tests of the training loop."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from tests.trainer.trees import write_corpus
from trainer.config import TrainConfig, config_from_dict, read_config
from trainer.prepare import prepare

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "trainer" / "configs"

# Every switch that the smoke run leaves off.
ALL_ON: dict[str, dict[str, Any]] = {
    "loss": {
        "window": 0.3,
        "window_s": 0.72,
        "running": 0.5,
        "running_steps": 2,
        "least_speech_s": 0.08,
        "contrast": 0.3,
        "oc_softmax": 0.1,
        "regmix": 0.3,
        "adversary": 0.2,
        "adversary_ramp": 4,
        "robust": 0.5,
    },
    "mask": {"bands": 2, "times_per_s": 3.0},
    "compute": {"deterministic": True},
    "batch": {"size": 8, "crop_s": 1.44, "shortest_s": 0.5, "shortened": 1.0, "varied": True},
}


def prepared(folder: Path) -> Path:
    """Four pages of eight clips, ready to train on."""
    prepare(folder / "data", corpus=write_corpus(folder / "corpus", pages=4, per_page=8))
    return folder / "data"


def smoke(changes: Mapping[str, Mapping[str, Any]] | None = None, **top: Any) -> TrainConfig:
    """The shipped smoke run with some keys changed."""
    values = read_config(CONFIGS / "smoke.toml").to_dict() | top
    for table, keys in (changes or {}).items():
        values[table] = values[table] | dict(keys)
    return config_from_dict(values)


def child(
    data: Path, out: Path, config: TrainConfig, *death: object, launcher: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """`tests.trainer.child` run to its end, whichever that is."""
    told = [str(data), str(out), json.dumps(config.to_dict()), *map(str, death)]
    return subprocess.run(
        [sys.executable, *launcher, "-m", "tests.trainer.child", *told],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def tensors(out: Path) -> dict[str, np.ndarray[Any, Any]]:
    """All that the newest checkpoint of a run holds."""
    return {
        f"{path.stem} {key}": value
        for path in sorted((out / "checkpoint").glob("*.safetensors"))
        for key, value in load_file(path).items()
    }


def assert_same(one: Path, other: Path) -> None:
    """To the last bit."""
    a, b = tensors(one), tensors(other)
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)
