"""The whole path on a tiny corpus, exact resume, and what is refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from streamtrace.encoder.bundle import load_bundle
from streamtrace.errors import SettingsError
from tests.trainer.trees import write_corpus
from trainer.__main__ import main
from trainer.checkpoint import find_checkpoint
from trainer.config import config_from_dict, read_config
from trainer.dataset import Dataset
from trainer.manifest import DataError
from trainer.train import TrainingFailed, train

CONFIGS = Path(__file__).parents[2] / "trainer" / "configs"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    corpus = write_corpus(folder / "corpus", pages=4, per_page=8)
    assert main(["prepare", "--out", str(folder / "data"), "--corpus", str(corpus)]) == 0
    return folder / "data"


@pytest.fixture
def config() -> Path:
    """The shipped smoke run: what it promises is tested here."""
    return CONFIGS / "smoke.toml"


def test_from_audio_to_a_bundle_that_loads(
    prepared: Path, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ["--data", str(prepared)]
    for fold in (-1, 0, 1):
        out = ["--out", str(tmp_path / f"run{fold}"), "--config", str(config)]
        assert main(["train", *data, *out, "--hold-out", str(fold)]) == 0
    folds = [str(tmp_path / "run0"), str(tmp_path / "run1")]
    evaluation = str(tmp_path / "evaluation")
    assert main(["evaluate", *data, "--out", evaluation, *folds]) == 0
    bundle = tmp_path / "bundle"
    run = ["--run", str(tmp_path / "run-1"), "--evaluation", evaluation]
    assert main(["export", *data, *run, "--out", str(bundle), "--id", "tiny-1"]) == 0

    loaded = load_bundle(bundle)
    assert loaded.ref.id == "tiny-1"
    assert {s.name for s in loaded.catalog.sources} == {f"system-{i}" for i in range(4)}
    card = (bundle / "MODEL_CARD.md").read_text()
    assert "detection EER" in card
    assert "page-3" in card
    assert "detection EER" in capsys.readouterr().out


def test_a_resumed_run_is_the_run(prepared: Path, config: Path, tmp_path: Path) -> None:
    data = Dataset.load(prepared)
    whole = read_config(config)
    train(whole, data, tmp_path / "whole")
    short = tmp_path / "short"
    interrupted = subprocess.Popen(
        [sys.executable, "-m", "trainer", "train", "--data", str(prepared), "--out", str(short),
         "--config", str(config)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while find_checkpoint(short / "checkpoint") is None and interrupted.poll() is None:
        assert time.monotonic() < deadline
        os.sched_yield()
    interrupted.send_signal(signal.SIGKILL)
    interrupted.wait()
    train(whole, data, short)
    for name in ("model", "average", "optimiser"):
        a = load_file(tmp_path / "whole" / "checkpoint" / f"{name}.safetensors")
        b = load_file(short / "checkpoint" / f"{name}.safetensors")
        assert a.keys() == b.keys()
        for key in a:
            np.testing.assert_array_equal(a[key], b[key], err_msg=f"{name} {key}")


def test_a_checkpoint_of_another_configuration_is_refused(
    prepared: Path, config: Path, tmp_path: Path
) -> None:
    data = Dataset.load(prepared)
    train(read_config(config), data, tmp_path / "run")
    with pytest.raises(SettingsError, match=r"another configuration .differs in seed"):
        train(read_config(config, seed=99), data, tmp_path / "run")


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_last_state(
    prepared: Path, config: Path, tmp_path: Path
) -> None:
    wild = read_config(config).to_dict()
    wild["loss"]["spoof"] = float("inf")
    with pytest.raises(TrainingFailed, match="step 0: the loss is not finite"):
        train(config_from_dict(wild), Dataset.load(prepared), tmp_path / "run")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[batch]\ncrop_s = 1.0", r"batch.crop_s=1.0: want a whole multiple of 0.24"),
        ("[batch]\nsize = 5", r"batch.size=5: want a multiple of 4"),
        ("hold_out = 3", r"hold_out=3: want -2 to 2"),
        ("[loss]\nn_pear = 1.0", r"loss.n_pear: no such key; known"),
        ("speed = 9", r"speed: no such key; known"),
        ("[encoder]\nwitdh = 3", r"encoder: .*witdh"),
        ("steps = [", r"not TOML"),
    ],
)
def test_a_wrong_configuration_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=message):
        read_config(path)


def test_missing_data_and_missing_folds_exit_with_two(
    prepared: Path, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = str(tmp_path / "nowhere")
    out = ["--out", str(tmp_path / "run"), "--config", str(config)]
    assert main(["train", "--data", nowhere, *out]) == 2
    assert main(["evaluate", "--data", str(prepared), "--out", nowhere, nowhere]) == 2
    assert "nowhere" in capsys.readouterr().err


def test_every_shipped_configuration_reads() -> None:
    for path in CONFIGS.glob("*.toml"):
        assert read_config(path).name == path.stem


def test_checkpoints_hold_no_pickle(prepared: Path, config: Path, tmp_path: Path) -> None:
    train(read_config(config), Dataset.load(prepared), tmp_path / "run")
    names = {p.name for p in (tmp_path / "run" / "checkpoint").iterdir()}
    assert names == {
        "model.safetensors",
        "average.safetensors",
        "optimiser.safetensors",
        "state.json",
    }
    state = json.loads((tmp_path / "run" / "checkpoint" / "state.json").read_text())
    assert state["step"] == 12


def test_folds_must_be_different(prepared: Path, config: Path, tmp_path: Path) -> None:
    from trainer.evaluate import evaluate

    data = Dataset.load(prepared)
    train(read_config(config, hold_out=0), data, tmp_path / "a")
    with pytest.raises(DataError, match="want the runs of at least two held-out folds"):
        evaluate(data, [tmp_path / "a"], tmp_path / "out")
    with pytest.raises(DataError, match="want one run for each held-out fold"):
        evaluate(data, [tmp_path / "a", tmp_path / "a"], tmp_path / "out")
