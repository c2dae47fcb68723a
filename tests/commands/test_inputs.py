"""Which files a folder or a manifest stands for."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamtrace.commands.inputs import Input, from_manifest, from_paths
from streamtrace.errors import AudioError


def test_paths_are_not_looked_at_before_their_turn() -> None:
    assert list(from_paths(["none.wav"])) == [Input("none.wav", Path("none.wav"))]


def test_a_folder_gives_its_audio_files_in_order(tmp_path: Path) -> None:
    for name in ("b.mp3", "a.wav", "c.txt", "deep/d.OPUS"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = [one.path.relative_to(tmp_path).as_posix() for one in from_paths([str(tmp_path)])]
    assert found == ["a.wav", "b.mp3", "deep/d.OPUS"]


def test_rows_are_relative_to_the_manifest(tmp_path: Path) -> None:
    manifest = tmp_path / "m.csv"
    manifest.write_text("path\nx/a.wav\n/abs/b.wav\n")
    assert from_manifest(manifest) == [
        Input("x/a.wav", tmp_path / "x/a.wav"),
        Input("/abs/b.wav", Path("/abs/b.wav")),
    ]


def test_a_manifest_without_the_column(tmp_path: Path) -> None:
    manifest = tmp_path / "m.csv"
    manifest.write_text("file\na.wav\n")
    with pytest.raises(AudioError, match="no column `path`"):
        from_manifest(manifest)
