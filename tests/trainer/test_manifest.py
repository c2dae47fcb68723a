"""The manifest survives a round trip and names file and row of whatever is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.trainer.trees import row
from trainer.manifest import COLUMNS, DataError, read_manifest, write_manifest


def test_rows_survive_a_round_trip(tmp_path: Path):
    rows = [
        row(speaker='a "quoted", voice', seconds=1.234),
        row(label="bonafide", source="bonafide", family="human", language="ru", lossy=True),
        row(origin="pairs:own-vocoder", original_sha256="1" * 64, transcript="so, then"),
    ]
    write_manifest(tmp_path / "manifest.csv", rows)
    assert read_manifest(tmp_path / "manifest.csv") == rows


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        ("label", "fake", "bonafide or synthetic"),
        ("seconds", "abc", "a positive number"),
        ("seconds", "nan", "a positive number"),
        ("seconds", "-1", "a positive number"),
        ("rate_hz", "16k", "a positive whole number"),
        ("sha256", "xyz", "64 lower-case"),
        ("page", " ", "a value"),
        ("source", "bonafide", "for bona fide clips"),
        ("origin", "pairs:own", "one for rows of origin 'pairs:'"),
        ("lossy", "maybe", "0 or 1"),
    ],
)
def test_a_wrong_cell_names_file_row_and_rule(tmp_path: Path, column: str, value: str, rule: str):
    path = tmp_path / "manifest.csv"
    write_manifest(path, [row(), row()])
    lines = path.read_text().splitlines()
    cells = lines[2].split(",")
    cells[COLUMNS.index(column)] = value
    path.write_text("\n".join([*lines[:2], ",".join(cells)]))
    with pytest.raises(DataError, match=rule) as raised:
        read_manifest(path)
    named = "original_sha256" if column == "origin" else column
    assert f"{path}, row 3: {named}=" in str(raised.value)


def test_a_manifest_from_before_the_later_columns_is_read(tmp_path: Path):
    path = tmp_path / "manifest.csv"
    write_manifest(path, [row(), row()])
    lines = path.read_text().splitlines()
    path.write_text("\n".join(",".join(line.split(",")[:13]) for line in lines) + "\n")
    assert read_manifest(path) == [row(), row()]


def test_wrong_columns_are_named(tmp_path: Path):
    path = tmp_path / "manifest.csv"
    path.write_text("path,label,colour\na.wav,synthetic,red\n")
    with pytest.raises(DataError, match=r"missing \['sha256'.*unexpected \['colour'\]"):
        read_manifest(path)


@pytest.mark.parametrize("line", ["a.wav", ",".join("x" * 20)])
def test_a_row_of_another_length_is_refused(tmp_path: Path, line: str):
    path = tmp_path / "manifest.csv"
    path.write_text(",".join(COLUMNS) + "\n" + line + "\n")
    with pytest.raises(DataError, match=f"row 2: want {len(COLUMNS)} cells"):
        read_manifest(path)


def test_a_missing_file_and_a_binary_one_are_refused(tmp_path: Path):
    with pytest.raises(DataError, match=r"nowhere\.csv"):
        read_manifest(tmp_path / "nowhere.csv")
    (tmp_path / "binary.csv").write_bytes(bytes(range(128, 256)))
    with pytest.raises(DataError, match=r"binary\.csv"):
        read_manifest(tmp_path / "binary.csv")
