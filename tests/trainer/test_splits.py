"""Splits promise what they keep; somebody's own folds are read from a table."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.trainer.doctored import sound_rows
from tests.trainer.trees import row
from trainer.manifest import DataError
from trainer.splits import own_splits, read_folds, splits_of


def test_own_splits_judge_every_clip_by_page_and_a_share_otherwise():
    rows = sound_rows()
    rows.append(row(origin="pairs:own", original_sha256=rows[0].sha256, page=rows[0].page))
    splits = {split.name: split for split in own_splits(rows, 3)}
    assert list(splits) == ["fold 0", "fold 1", "fold 2", "same page", "random"]
    tested = [i for n in range(3) for i in splits[f"fold {n}"].test.tolist()]
    assert sorted(tested) == list(range(len(rows) - 1))
    for name in ("same page", "random"):
        assert 0.1 < len(splits[name].test) / len(rows) < 0.3
        assert len(rows) - 1 not in splits[name].test
        assert not splits[name].by_page


def test_given_folds_are_read_by_hash_or_path(tmp_path: Path):
    rows = sound_rows(2, 3)
    table = tmp_path / "folds.csv"
    lines = [f"{one.sha256},,{i % 2}" for i, one in enumerate(rows[:3])]
    lines += [f",{one.path},1" for one in rows[3:]]
    table.write_text("\n".join(["sha256,path,fold", *lines]) + "\n")
    assigned = read_folds(table, rows)
    assert assigned.tolist() == [0, 1, 0, 1, 1, 1]
    assert [split.name for split in splits_of(rows, assigned)] == ["fold 0", "fold 1"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("path\na", r"row 1: wrong columns: missing \['fold'\]"),
        ("path,fold\na,x", "row 2: want sha256 or path, and a fold"),
        ("path,fold\n,1", "row 2: want sha256 or path"),
        ("path,fold\na,1\na,2", "rows 2 and 3: a is in folds 1 and 2"),
        ("path,fold\na,1", r"has no row for p0-0\.wav"),
    ],
)
def test_a_wrong_table_of_folds_is_refused(tmp_path: Path, lines: str, message: str):
    table = tmp_path / "folds.csv"
    table.write_text(lines + "\n")
    with pytest.raises(DataError, match=message):
        read_folds(table, sound_rows(1, 3))
