"""What is skipped is counted by kind, listed whole and named only in part."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainer.skipped import Skipped, read_skipped, say_skipped, summary, write_skipped


def test_a_list_survives_a_round_trip(tmp_path: Path):
    skipped = [
        Skipped("a.wav", "t.csv, row 2", "missing", "no such file"),
        Skipped("b, c.wav", "", "short", 'shorter than "that"'),
    ]
    write_skipped(tmp_path / "skipped.csv", skipped)
    assert read_skipped(tmp_path / "skipped.csv") == skipped
    assert read_skipped(tmp_path / "nowhere.csv") == []
    (tmp_path / "older.csv").write_text("path,reason\na.wav,gone\n")
    assert read_skipped(tmp_path / "older.csv") == [Skipped("a.wav", "", "unusable", "gone")]
    assert summary(skipped) == "2 skipped: 1 missing, 1 short"
    assert summary([]) == "0 skipped"


def test_only_the_first_few_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    many = [Skipped(f"{i}.wav", f"t.csv, row {i + 2}", "missing", "gone") for i in range(50)]
    say_skipped(many, tmp_path / "skipped.csv")
    said = capsys.readouterr().err
    assert "skipped 0.wav (t.csv, row 2): gone" in said
    assert "… and 40 more" in said
    assert f"50 skipped: 50 missing; all of them in {tmp_path / 'skipped.csv'}" in said
    say_skipped([], tmp_path / "skipped.csv")
    assert not capsys.readouterr().err
