"""`streamtrace trace` itself, on clips that a run held out: it says what the trainer judged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from streamtrace.sources.file import decode_file
from tests.trainer.judged import corpus, judged
from tests.trainer.runs import CONFIGS
from tests.trainer.trees import write_corpus
from trainer.__main__ import main
from trainer.dataset import Dataset
from trainer.evaluate import evaluate, load_folds, read_evaluation
from trainer.judgements import read_judgements
from trainer.manifest import DataError
from trainer.prepare import prepare
from trainer.report import JUDGEMENTS, NUISANCE, SAME_PAGE
from trainer.verify import compare, of_sources, write_float_wav


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two folds and a share of every page, trained for a moment and judged."""
    folder = tmp_path_factory.mktemp("verified")
    # Three pages, twice each of three systems there: enough to spare some clips of known pages.
    prepare(folder / "data", corpus=write_corpus(folder / "corpus", pages=3, per_page=12))
    data = Dataset.load(folder / "data")
    told = ["--data", str(folder / "data"), "--config", str(CONFIGS / "smoke.toml")]
    for name, held in (
        ("run0", "--hold-out=0"),
        ("run1", "--hold-out=1"),
        ("run-2", "--same-page"),
    ):
        assert main(["train", *told, "--out", str(folder / name), held]) == 0
    runs = [folder / "run1", folder / "run0"]
    evaluate(data, runs, folder / "evaluation", same_page=folder / "run-2", draws=10)
    return folder


def test_the_engine_says_what_the_trainer_judged(
    evaluated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = ["--data", str(evaluated / "data"), "--evaluation", str(evaluated / "evaluation")]
    run = str(evaluated / "run0")
    assert main(["verify", *told, run, "--line", "clean", "--line", "g711", "--most", "6"]) == 0
    said = capsys.readouterr().out
    assert "clean: 6 clips, holds" in said
    assert "g711: 6 clips, holds" in said
    assert "detection EER" in said


def test_everything_is_judged_by_what_never_saw_it(evaluated: Path) -> None:
    data = Dataset.load(evaluated / "data")
    table = read_judgements(evaluated / "evaluation" / JUDGEMENTS)
    simple = read_judgements(evaluated / "evaluation" / NUISANCE)
    known = read_judgements(evaluated / "evaluation" / SAME_PAGE)
    assert {clip.sha256 for clip in table.clips} == {row.sha256 for row in data.rows}
    assert [clip.sha256 for clip in simple.clips] == [clip.sha256 for clip in table.clips]
    home = {clip.page: clip.fold for clip in table.clips}
    assert len(set(home.values())) == 2
    for clip in (*table.clips, *known.clips):  # on known pages too: the fit of the page's own fold
        assert home[clip.page] == clip.fold
    trained = {data.rows[i].sha256 for i in data.training_rows(2, -2)}
    assert known.clips
    assert not trained & {clip.sha256 for clip in known.clips}
    assert read_evaluation(evaluated / "evaluation").figures["neural / clean"]


def test_runs_that_are_no_folds_are_named(evaluated: Path) -> None:
    data = Dataset.load(evaluated / "data")
    for runs, complaint in (
        (["run-2", "run0"], "run-2: want one run for each held-out fold, this is hold_out=-2"),
        (["run0", "run0"], "run0: want one run for each held-out fold, this is hold_out=0 again"),
        (["run0"], "want the runs of at least two held-out folds"),
    ):
        with pytest.raises(DataError, match=complaint):
            load_folds(data, [evaluated / run for run in runs])
    with pytest.raises(DataError, match="run1: trained with hold_out=1, want --same-page"):
        evaluate(
            data,
            [evaluated / "run0", evaluated / "run1"],
            evaluated / "evaluation",
            same_page=evaluated / "run1",
            draws=2,
        )


def test_a_clip_that_differs_is_found() -> None:
    table = judged(corpus(40))
    same = compare(table, table, "clean")
    assert same.holds
    llr = table.llr.copy()
    llr[0, -1, 7] += 0.1
    found = compare(table, replace(table, llr=llr), "clean")
    assert not found.holds
    assert found.differences[0].clip == table.clips[7].sha256[:12]
    assert "DOES NOT HOLD" in found.table()


def test_heads_keep_the_sources_that_were_taught() -> None:
    heads = {
        "source.weight": np.arange(8.0).reshape(4, 2),
        "source.scale": np.ones(1),
        "members.source.weight": np.arange(24.0).reshape(3, 4, 2),
        "members.source.bias": np.arange(4.0),
        "family.weight": np.ones((4, 2)),
        "gallery.owner": np.array([0, 1, 3, 3, 4]),
        "gallery.prototypes": np.arange(10.0).reshape(5, 2),
    }
    found = of_sources(heads, np.array([1, 3]), 4)
    np.testing.assert_array_equal(found["source.weight"], [[2, 3], [6, 7]])
    assert found["members.source.weight"].shape == (3, 2, 2)
    assert found["members.source.bias"].tolist() == [1.0, 3.0]
    assert found["family.weight"].shape == (4, 2)
    assert found["gallery.owner"].tolist() == [0, 1, 1, 2]  # 2 is human speech
    np.testing.assert_array_equal(found["gallery.prototypes"][0], [2, 3])


def test_samples_go_through_a_float_wav_unchanged(tmp_path: Path) -> None:
    pcm = np.random.default_rng(0).uniform(-1, 1, 4000).astype(np.float32)
    write_float_wav(tmp_path / "clip.wav", pcm)
    heard = decode_file(tmp_path / "clip.wav")
    assert heard.rate_hz == 16_000
    np.testing.assert_array_equal(heard.pcm[0], pcm)
