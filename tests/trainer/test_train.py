"""The whole path on a tiny corpus, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamtrace.encoder.bundle import load_bundle
from tests.trainer.trees import write_corpus
from trainer.__main__ import main
from trainer.config import read_config
from trainer.dataset import Dataset
from trainer.manifest import DataError
from trainer.train import train

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


def test_missing_data_and_missing_folds_exit_with_two(
    prepared: Path, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = str(tmp_path / "nowhere")
    out = ["--out", str(tmp_path / "run"), "--config", str(config)]
    assert main(["train", "--data", nowhere, *out]) == 2
    assert main(["evaluate", "--data", str(prepared), "--out", nowhere, nowhere]) == 2
    assert "nowhere" in capsys.readouterr().err


def test_folds_must_be_different(prepared: Path, config: Path, tmp_path: Path) -> None:
    from trainer.evaluate import evaluate
    from trainer.members import fit_members

    data = Dataset.load(prepared)
    held_out = read_config(config, hold_out=0)
    train(held_out, data, tmp_path / "a")
    with pytest.raises(DataError, match="run train again to its end"):
        evaluate(data, [tmp_path / "a"], tmp_path / "out")
    fit_members(held_out, data, tmp_path / "a")
    with pytest.raises(DataError, match="want the runs of at least two held-out folds"):
        evaluate(data, [tmp_path / "a"], tmp_path / "out")
    with pytest.raises(DataError, match="want one run for each held-out fold"):
        evaluate(data, [tmp_path / "a", tmp_path / "a"], tmp_path / "out")
