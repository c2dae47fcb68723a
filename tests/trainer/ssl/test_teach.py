"""An offline system trained, judged like any run, and a student that learns from it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_pre_hook

from streamtrace.errors import SettingsError
from tests.trainer.runs import assert_same, prepared, smoke, tensors
from trainer.catalog import catalog_of
from trainer.config import TrainConfig, read_config
from trainer.dataset import Dataset
from trainer.evaluate import evaluate, load_fold
from trainer.judge import hear, load_run
from trainer.judgements import read_judgements
from trainer.loss import distil_losses, soft_label_losses
from trainer.manifest import DataError
from trainer.report import JUDGEMENTS
from trainer.ssl.command import CONFIG
from trainer.ssl.teach import teach
from trainer.ssl.teacher import load_teacher
from trainer.train import train


def config_of(folder: Path, **ssl: object) -> TrainConfig:
    told = {"oc_softmax": 0.3, "regmix": 0.5}
    made = smoke({"loss": told, "optimiser": {"steps": 6}, "batch": {"size": 8}}, hold_out=0)
    return replace(made, ssl=replace(made.ssl, model=str(folder), **{"layer": 1, **ssl}))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def taught(encoders: dict[str, Path], data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for each of two folds, on a mix of all layers of XLS-R."""
    folder = tmp_path_factory.mktemp("taught")
    for fold in (0, 1):
        config = replace(config_of(encoders["xls-r"], layer=-1), hold_out=fold)
        assert teach(config, Dataset.load(data), folder / f"run{fold}", threads=1) == 6
    return folder


def test_a_taught_system_is_judged_as_any_run_is(taught: Path, data: Path, tmp_path: Path) -> None:
    evaluate(Dataset.load(data), [taught / "run0", taught / "run1"], tmp_path, draws=10)
    judged = read_judgements(tmp_path / JUDGEMENTS)
    everyone = Dataset.load(data).rows
    assert {clip.sha256 for clip in judged.clips} == {row.sha256 for row in everyone}
    # It hears each clip to its end first: decisions do not change with the length of speech.
    at = judged.lines.index("clean")
    np.testing.assert_array_equal(judged.llr[at, 0], judged.llr[at, -1])
    assert len(np.unique(judged.llr[at, -1])) > len(judged.clips) / 2
    with pytest.raises(DataError, match="is an offline system: it can be judged, and never be"):
        load_run(taught / "run0", Dataset.load(data))
    fold = load_fold(Dataset.load(data), taught / "run0")
    again = hear(fold.run, Dataset.load(data), fold.split.train, fold.split.test, tmp_path / "x")
    said = read_judgements(tmp_path / JUDGEMENTS)
    assert len(again.embeddings) == sum(clip.fold == 0 for clip in said.clips)


@pytest.mark.parametrize(("kind", "tune"), [("wavlm", "norms"), ("w2v-bert", "adapters")])
def test_what_moves_is_checkpointed_and_a_stopped_run_is_the_run(
    encoders: dict[str, Path], data: Path, tmp_path: Path, kind: str, tune: str
) -> None:
    config = config_of(encoders[kind], tune=tune, adapter=4)
    config = replace(config, optimiser=replace(config.optimiser, steps=3), checkpoint_every=1)
    teach(config, Dataset.load(data), tmp_path / "whole", threads=1)
    steps = 0

    def stop(*_: object) -> None:
        nonlocal steps
        steps += 1
        if steps == 2:
            raise KeyboardInterrupt

    hook = register_optimizer_step_pre_hook(stop)
    try:
        with pytest.raises(KeyboardInterrupt):
            teach(config, Dataset.load(data), tmp_path / "stopped")
    finally:
        hook.remove()
    assert json.loads((tmp_path / "stopped/checkpoint/state.json").read_text())["step"] == 1
    teach(config, Dataset.load(data), tmp_path / "stopped")
    assert_same(tmp_path / "whole", tmp_path / "stopped")
    moved = [name for name in tensors(tmp_path / "whole") if name.startswith("model tuned.")]
    assert moved
    assert any(
        not np.array_equal(tensors(tmp_path / "whole")[name], value)
        for name, value in fresh_tuned(config).items()
    )


def fresh_tuned(config: TrainConfig) -> dict[str, np.ndarray]:
    from trainer.ssl.front_end import load_front_end

    tuned = load_front_end(config.ssl).tuned
    return {f"model tuned.{i}": p.detach().numpy() for i, p in enumerate(tuned)}


def test_a_student_learns_to_say_what_its_teacher_says(
    taught: Path, data: Path, tmp_path: Path
) -> None:
    rows = Dataset.load(data)
    loss = {"distil": 2.0, "distil_labels": 0.5}
    config = smoke({"loss": loss, "optimiser": {"steps": 12}}, hold_out=0)
    train(config, rows, tmp_path / "student", teacher=taught / "run0")
    lines = [json.loads(line) for line in (tmp_path / "student/log.jsonl").read_text().splitlines()]
    assert all(line["distil_labels"] >= 0 for line in lines)
    assert np.mean([line["distil"] for line in lines[-4:]]) < np.mean(
        [line["distil"] for line in lines[:4]]
    )
    assert any("teacher.weight" in name for name in tensors(tmp_path / "student"))
    with pytest.raises(SettingsError, match="differs in data"):
        train(config, rows, tmp_path / "student", teacher=another(taught / "run0", tmp_path))
    teacher = load_teacher(taught / "run0", rows, catalog_of(rows.rows), config)
    held_out = set(rows.held_out_rows(config.folds, 0))
    assert not teacher.known[sorted(held_out)].any()
    assert not teacher.targets(torch.tensor([-1])).known.any()


def another(run: Path, tmp_path: Path) -> Path:
    """The same teacher with other words."""
    from safetensors import safe_open
    from safetensors.numpy import save_file

    path = run / "teacher.safetensors"
    with safe_open(path, "numpy") as file:
        told = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        about = file.metadata()
    told["embedding"] = -told["embedding"]
    (tmp_path / "another").mkdir()
    save_file(told, tmp_path / "another/teacher.safetensors", metadata=about)
    return tmp_path / "another"


def test_a_teacher_that_saw_what_is_held_out_is_refused(
    taught: Path, data: Path, tmp_path: Path
) -> None:
    rows, loss = Dataset.load(data), {"distil": 1.0}
    with pytest.raises(SettingsError, match="it would tell of clips that are held out"):
        train(smoke({"loss": loss}, hold_out=1), rows, tmp_path, teacher=taught / "run0")
    with pytest.raises(SettingsError, match=r"want --teacher and loss\.distil"):
        train(smoke({"loss": loss}, hold_out=0), rows, tmp_path)
    with pytest.raises(SettingsError, match=r"want --teacher and loss\.distil"):
        train(smoke(hold_out=0), rows, tmp_path, teacher=taught / "run0")
    with pytest.raises(DataError, match="no teacher to read"):
        train(smoke({"loss": loss}, hold_out=0), rows, tmp_path, teacher=tmp_path)
    with pytest.raises(SettingsError, match="`teach` trains that, not `train`"):
        train(config_of(taught), rows, tmp_path)


def test_terms_of_distillation_are_zero_where_nothing_is_missed() -> None:
    same = torch.nn.functional.normalize(torch.randn(3, 8), dim=-1)
    torch.testing.assert_close(distil_losses(5 * same, same), torch.zeros(3))
    torch.testing.assert_close(distil_losses(-same, same), torch.full((3,), 2.0))
    logits = torch.tensor([[2.0, 0.0, -1e4], [0.0, 1.0, -1e4]])
    torch.testing.assert_close(soft_label_losses(logits, logits, 2.0), torch.zeros(2))
    missed = soft_label_losses(torch.zeros(2, 3), logits, 2.0)
    assert torch.isfinite(missed).all()
    assert (missed > 0).all()


def test_the_shipped_configuration_is_one() -> None:
    config = read_config(CONFIG)
    assert config.ssl.model == "facebook/wav2vec2-xls-r-300m"
    assert (config.ssl.layer, config.ssl.tune) == (5, "none")
