"""The split that a corpus came with: from its own layout through training to its figures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.trainer.published.trees import asvspoof2019
from tests.trainer.runs import CONFIGS
from tests.trainer.trees import row
from trainer.__main__ import main
from trainer.dataset import Dataset
from trainer.evaluate import read_evaluation
from trainer.judgements import read_judgements
from trainer.manifest import DataError, Row, read_manifest
from trainer.official import official_split
from trainer.official_evaluation import twice_unknown
from trainer.report import JUDGEMENTS, NUISANCE
from trainer.splits import own_splits

HUMAN = {"label": "bonafide", "source": "bonafide", "family": "human"}


def both(split: str, **changes: object) -> list[Row]:
    return [row(split=split, **changes), row(split=split, **{**HUMAN, **changes})]


def test_each_part_has_the_rows_that_are_its_own() -> None:
    rows = [*both("eval"), *both("train"), *both("dev"), *both("")]
    made = {"origin": "pairs:x", "original_sha256": "1" * 64}
    rows += [row(split="eval", **made), row(split="train", **made)]
    found = official_split(rows)
    assert found.train == (2, 3, 6, 7, 9)  # what was made out of eval's humans is nowhere
    assert (found.dev, found.judged) == ((4, 5), (0, 1))


@pytest.mark.parametrize("lacking", ["train", "dev", "eval"])
def test_a_part_with_one_label_is_refused(lacking: str) -> None:
    rows = [one for split in ("train", "dev", "eval") for one in both(split)]
    fewer = [one for one in rows if one.is_synthetic or one.split != lacking]
    with pytest.raises(DataError, match=f"{lacking} holds only synthetic clips; want both labels"):
        official_split(fewer)
    with pytest.raises(DataError, match=f"{lacking} holds nothing"):
        official_split([one for one in rows if one.split != lacking])


def test_the_doctor_examines_the_rows_own_split_where_there_is_one() -> None:
    rows = [
        one
        for page in range(4)
        for split in ("train", "dev", "eval")
        for one in both(split, page=f"page-{page}", sha256=f"{page}{len(split)}" * 32)
    ]
    (split,) = [one for one in own_splits(rows, folds=2) if one.name == "official"]
    assert {rows[i].split for i in split.train} == {"train"}
    assert {rows[i].split for i in split.test} == {"eval"}
    assert not any(
        one.name == "official" for one in own_splits([replace(one, split="") for one in rows], 2)
    )


def test_systems_that_dev_gives_away_are_named() -> None:
    known, leaky, new = (row(source=name) for name in ("known", "leaky", "new"))
    assert twice_unknown([known], [known, leaky], [known, leaky, new]) == ["leaky"]


def test_a_published_corpus_is_prepared_trained_and_judged_by_its_own_split(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus = asvspoof2019(tmp_path / "LA", speakers=2)
    next((corpus / "ASVspoof2019_LA_eval/flac").iterdir()).unlink()
    data, run, out = (str(tmp_path / name) for name in ("data", "run", "out"))
    told = ["prepare", "--out", data, "--dataset", f"asvspoof2019-la={corpus}"]
    assert main(told) == 2
    assert "want (2580, 22800), found (4, 12)" in capsys.readouterr().err
    assert main([*told, "--with", "asvspoof2019-la.any-counts"]) == 0
    said = capsys.readouterr()
    assert "1 skipped: 1 missing" in said.out
    assert "ASVspoof2019.LA.cm.eval.trl.txt, row" in said.err
    rows = read_manifest(Path(data) / "manifest.csv")
    assert {one.split for one in rows} == {"train", "dev", "eval"}
    assert {one.origin for one in rows} == {
        f"asvspoof2019-la:{s}" for s in ("train", "dev", "eval")
    }

    # Without what reads the signature: measuring for it would take longer than all the rest.
    config = str(tmp_path / "smoke.toml")
    smoke = (CONFIGS / "smoke.toml").read_text() + "\n[ensemble]\nmembers = 0\n"
    Path(config).write_text(smoke.replace("steps = 12", "steps = 4"))
    assert main(["train", "--data", data, "--out", run, "--official", "--config", config]) == 0
    assert main(["evaluate", "--data", data, "--out", out, run]) == 0

    prepared = Dataset.load(Path(data))
    eval_rows = [one for one in prepared.rows if one.split == "eval"]
    judged = read_judgements(tmp_path / "out" / JUDGEMENTS)
    assert [clip.sha256 for clip in judged.clips] == [one.sha256 for one in eval_rows]
    assert {clip.source for clip in judged.clips if clip.taught} == {
        "asvspoof2019-a01",
        "asvspoof2019-a02",
    }
    never = [clip for clip in judged.clips if clip.source == "asvspoof2019-a07"]
    assert never
    assert not any(clip.taught for clip in never)
    assert {clip.sha256 for clip in read_judgements(tmp_path / "out" / NUISANCE).clips} == {
        one.sha256 for one in eval_rows
    }
    # One bar for all, set on dev.
    assert len(np.unique(judged.accuse)) == 1
    assert read_evaluation(tmp_path / "out").figures["neural / clean"]
