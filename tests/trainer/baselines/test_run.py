"""From prepared clips to the frozen table, killed on the way, and beside a model in a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.trainer.baselines.lessons import TINY
from trainer.__main__ import main
from trainer.baselines.aasist import AasistConfig
from trainer.baselines.catalogue import NAMES, baseline_named
from trainer.baselines.interface import Asked, Judge, Lesson, LooksAt, Said
from trainer.baselines.pretrained import PretrainedAasist, last_window
from trainer.baselines.run import run_baseline
from trainer.baselines.summary import write_summary
from trainer.dataset import Dataset
from trainer.judgements import PREFIXES_S, WHOLE_S, aligned, read_judgements
from trainer.manifest import DataError
from trainer.report import JUDGEMENTS
from trainer.tables import track_table

SMALL = AasistConfig("small", (4, 8), 8, spectral_ratio=0.5, temporal_ratio=0.7, stack_ratio=0.5)


@dataclass(frozen=True)
class Told:
    """Knows the labels; dies before the given line of the given fold; counts its lessons."""

    truth: dict[int, bool]
    lessons: list[int]
    dies: tuple[int, str] | None = None
    name = "told"
    settings = ""
    looks_at = LooksAt.LENGTHS
    clips_at_once = 1 << 30
    code = ()

    def learn(self, lesson: Lesson) -> Judge:
        self.lessons.append(lesson.seed)
        return _Told(self, lesson.seed)


@dataclass(frozen=True)
class _Told:
    of: Told
    fold: int

    def judge(self, asked: Sequence[Asked], line: str) -> Said:
        if self.of.dies == (self.fold, line):
            raise KeyboardInterrupt
        truth = [self.of.truth[one.clip] for one in asked for _ in one.looks]
        return Said(spoof=np.where(truth, 2.0, -2.0).astype(np.float32))


def truth_of(data: Dataset) -> dict[int, bool]:
    return {i: row.is_synthetic for i, row in enumerate(data.rows)}


def test_a_killed_run_goes_on_where_it_was(data: Dataset, tmp_path: Path) -> None:
    truth = truth_of(data)
    whole = run_baseline(Told(truth, []), data, tmp_path / "whole", folds=2)
    lessons: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        run_baseline(Told(truth, lessons, (1, "g711")), data, tmp_path / "killed", folds=2)
    assert not (tmp_path / "killed" / JUDGEMENTS).exists()
    again = run_baseline(Told(truth, lessons), data, tmp_path / "killed", folds=2)
    assert lessons == [0, 1, 1]
    np.testing.assert_array_equal(again.llr, whole.llr)
    run_baseline(Told(truth, lessons), data, tmp_path / "killed", folds=2)
    assert lessons == [0, 1, 1]  # nothing was left to say


def test_who_names_nobody_is_told_from_who_names_wrongly(data: Dataset, tmp_path: Path) -> None:
    table = run_baseline(Told(truth_of(data), []), data, tmp_path, folds=2)
    assert table.prefixes_s == PREFIXES_S
    assert np.isnan(table.attribution).all()
    assert np.isnan(table.novelty).all()
    assert np.isfinite(table.llr).all()
    assert np.isfinite(table.accuse).all()
    said = track_table(table, "neural", draws=3)
    assert said is not None
    assert said.lines["clean"]["detection AUROC"].model.value == 1.0
    assert str(said.lines["clean"]["system top-1"].model) == "-"
    assert str(said.lines["g711"]["novelty AUROC"].model) == "-"
    assert "| system top-1 | - | - |" in write_summary(table, tmp_path)


@pytest.mark.parametrize("name", TINY)
def test_every_baseline_leaves_a_table_of_the_same_clips(
    name: str, data: Dataset, tmp_path: Path
) -> None:
    out = tmp_path / "runs" / name
    made = run_baseline(TINY[name], data, out, folds=2, lines=("clean",))
    table = read_judgements(out / JUDGEMENTS)
    np.testing.assert_array_equal(table.llr, made.llr.astype(np.float32))
    wanted = [i for fold in (0, 1) for i in data.held_out_rows(2, fold)]
    assert [clip.sha256 for clip in table.clips] == [data.rows[i].sha256 for i in wanted]
    assert (table.lines, table.prefixes_s) == (("clean",), PREFIXES_S)
    for values in (table.llr, table.novelty, table.attribution, table.family_shares):
        assert np.isfinite(values).all()
    np.testing.assert_allclose(table.attribution.sum(axis=-1), 1, atol=1e-5)
    again = run_baseline(TINY[name], data, out, folds=2, lines=("clean",))
    np.testing.assert_array_equal(again.llr, made.llr)
    # Paired clip by clip with any other judge of these clips.
    truth = run_baseline(Told(truth_of(data), []), data, tmp_path / "told", folds=2)
    assert aligned(truth, table)[1].clips == table.clips
    paired = track_table(truth, "neural", earlier=table, draws=3)
    assert paired is not None
    gain = paired.lines["clean"]["detection AUROC"].gain
    assert gain is not None
    assert gain.value >= 0


def test_pretrained_aasist_judges_ends_alone_and_its_random_weights_are_told(
    data: Dataset, tmp_path: Path
) -> None:
    peer = PretrainedAasist(None, SMALL, window_samples=8_000)
    assert peer.name == "small, random weights"
    table = run_baseline(peer, data, tmp_path, folds=2, lines=("clean",))
    whole = table.prefixes_s.index(WHOLE_S)
    assert np.isfinite(table.llr[:, whole]).all()
    assert np.isnan(np.delete(table.llr, whole, axis=1)).all()
    said = track_table(table, "neural", draws=3)
    assert said is not None
    told = said.lines["clean"]
    assert str(told["synthetic flagged within 3 s of speech"].model) == "-"
    assert str(told["detection EER"].model) != "-"


def test_a_window_is_the_last_that_was_heard_said_again_until_it_is_full() -> None:
    pcm = np.arange(10, dtype=np.float32)
    assert last_window(pcm, 4).tolist() == [6, 7, 8, 9]
    assert last_window(pcm[:3], 7).tolist() == [0, 1, 2, 0, 1, 2, 0]


def test_every_name_makes_a_baseline_and_none_else_does(
    data: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len({baseline_named(name).name for name in NAMES}) == len(NAMES)
    folder = ["--data", str(data.clips.folder), "--out", str(tmp_path)]
    assert main(["baseline", "guess", *folder]) == 2
    assert "known: refd, aasist" in capsys.readouterr().err
    assert main(["baseline", "tdnn", *folder, "--weights", "some.pth"]) == 2
    assert main(["baseline", "aasist", *folder, "--weights", "none.pth"]) == 2
    assert "none.pth" in capsys.readouterr().err


def test_one_fold_is_no_evaluation(data: Dataset, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="at least two"):
        run_baseline(Told(truth_of(data), []), data, tmp_path, folds=1)
