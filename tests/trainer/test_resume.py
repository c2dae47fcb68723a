"""A run that is killed, interrupted or misfed: what it leaves, and how it goes on."""

from __future__ import annotations

import csv
import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook
from torch.optim.optimizer import register_optimizer_step_pre_hook

from tests.trainer.runs import ALL_ON, assert_same, child, prepared, smoke
from trainer.checkpoint import find_checkpoint
from trainer.config import TrainConfig
from trainer.dataset import Dataset
from trainer.manifest import DataError
from trainer.train import TrainingFailed, train

EVERYTHING = smoke(ALL_ON)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def whole(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with every switch on that nothing disturbed."""
    out = tmp_path_factory.mktemp("whole")
    train(EVERYTHING, Dataset.load(folder), out, threads=1)
    return out


def figures(out: Path) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if not k.endswith("_s")} for line in lines]


@pytest.mark.parametrize(
    ("event", "number", "reached"),
    [
        ("step", 7, 4),  # in the midst of a step
        ("rename", 3, 4),  # between the two renames behind the second checkpoint
    ],
)
def test_a_run_killed_at_any_moment_is_the_run(
    folder: Path, whole: Path, tmp_path: Path, event: str, number: int, reached: int
) -> None:
    killed = child(folder, tmp_path, EVERYTHING, event, number, int(signal.SIGKILL))
    assert killed.returncode == -signal.SIGKILL, killed.stdout
    left = find_checkpoint(tmp_path / "checkpoint")
    assert left is not None
    assert json.loads((left / "state.json").read_text())["step"] == reached
    train(EVERYTHING, Dataset.load(folder), tmp_path, threads=1)
    assert_same(whole, tmp_path)
    assert figures(whole) == figures(tmp_path)


def test_an_interrupted_run_saves_first_and_goes_on_from_there(
    folder: Path, whole: Path, tmp_path: Path
) -> None:
    steps = 0

    def interrupt(*_: object) -> None:
        nonlocal steps
        steps += 1
        if steps == 6:
            os.kill(os.getpid(), signal.SIGINT)

    hook = register_optimizer_step_pre_hook(interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            train(EVERYTHING, Dataset.load(folder), tmp_path)
    finally:
        hook.remove()
    state = json.loads((tmp_path / "checkpoint" / "state.json").read_text())
    assert state["step"] == 7  # asked for within the sixth, done behind the next
    train(EVERYTHING, Dataset.load(folder), tmp_path)
    assert_same(whole, tmp_path)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_loss_that_is_no_number_names_step_terms_and_clips(folder: Path, tmp_path: Path) -> None:
    wild = smoke({"loss": {"spoof": float("inf")}})
    said = r"step 0: the loss is not finite \(spoof \d.*, loss inf\) on .*train/p\d_\d\.wav"
    with pytest.raises(TrainingFailed, match=said) as failed:
        train(wild, Dataset.load(folder), tmp_path)
    assert "lower optimiser.rate" in str(failed.value)
    assert find_checkpoint(tmp_path / "checkpoint") is None


def test_a_gradient_that_is_no_number_reaches_no_weight(folder: Path, tmp_path: Path) -> None:
    def spoil(gradient: Tensor) -> Tensor:
        return gradient * float("nan")

    def hang(module: nn.Module, _: object, output: Tensor) -> None:
        if isinstance(module, nn.Linear) and output.requires_grad:
            output.register_hook(spoil)

    hook = register_module_forward_hook(hang)
    try:
        with pytest.raises(TrainingFailed, match="step 0: the gradient is not finite"):
            train(smoke(), Dataset.load(folder), tmp_path)
    finally:
        hook.remove()


def broken(folder: Path, clips: int) -> Dataset:
    """So many of the clips cannot be read."""
    data = Dataset.load(folder)
    lost = (np.arange(len(data.rows)) > 0) & (np.arange(len(data.rows)) <= clips)
    lengths = np.where(lost, -1, data.clips.lengths)
    return Dataset(replace(data.clips, lengths=lengths))


def test_a_clip_that_cannot_be_used_is_listed_and_the_run_goes_on(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = smoke()
    done = train(config, broken(folder, 1), tmp_path)
    assert done.step == config.optimiser.steps
    with (tmp_path / "unusable.csv").open(newline="") as file:
        (line,) = csv.DictReader(file)
    assert line["path"].endswith(".wav")
    assert int(line["times"]) > 0
    assert line["reason"].startswith("ValueError")
    assert "1 clips could not be used" in capsys.readouterr().err


def test_many_clips_that_cannot_be_used_are_no_matter_of_single_files(
    folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"of \d+ clips drawn could not be used, the last is .*wav"):
        train(smoke(), broken(folder, 30), tmp_path)


def test_switches_change_the_run_and_their_absence_does_not(folder: Path, tmp_path: Path) -> None:
    """Threads and workers are no part of a run; what is off leaves no trace in a checkpoint."""

    def run(name: str, config: TrainConfig) -> Path:
        train(config, Dataset.load(folder), tmp_path / name)
        return tmp_path / name

    plain = run("plain", smoke())
    assert not (plain / "checkpoint" / "critics.safetensors").exists()
    last = run("last", smoke({"optimiser": {"average": 0.0}}))
    checkpoint = {path.stem: torch.tensor(0) for path in (last / "checkpoint").iterdir()}
    assert set(checkpoint) == {"model", "average", "optimiser", "state"}
    assert (last / "checkpoint/model.safetensors").read_bytes() == (
        last / "checkpoint/average.safetensors"
    ).read_bytes()
    assert (plain / "checkpoint/model.safetensors").read_bytes() == (
        last / "checkpoint/model.safetensors"
    ).read_bytes()
