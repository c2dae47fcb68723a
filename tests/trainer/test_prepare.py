"""Preparing a corpus: every clip once, bad ones listed, and a killed run goes on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.trainer.trees import voice_like, write_corpus, write_floats, write_wav
from trainer.audio_cache import AUDIO_FILE, INDEX_FILE, Clips
from trainer.manifest import DataError
from trainer.prepare import prepare
from trainer.skipped import read_skipped


def test_a_corpus_becomes_rows_with_their_audio(tmp_path: Path):
    corpus = write_corpus(tmp_path / "corpus")
    prepared = prepare(tmp_path / "data", corpus=corpus)
    clips = Clips.load(tmp_path / "data")
    assert clips.rows == prepared.rows
    assert len(clips.rows) == 12
    assert {row.origin for row in clips.rows} == {"corpus:train"}
    assert {row.source for row in clips.rows if not row.is_synthetic} == {"bonafide"}
    np.testing.assert_allclose(clips.pcm(5), voice_like(101), atol=1e-4)
    np.testing.assert_array_equal(clips.pcm(5, 100, 50), clips.pcm(5)[100:150])
    assert "12 clips" in prepared.table()


def test_bad_clips_are_skipped_and_listed(tmp_path: Path):
    corpus = write_corpus(tmp_path / "corpus")
    (corpus / "train/p0_1.wav").write_bytes(b"this is no audio")
    (corpus / "train/p0_2.wav").unlink()
    write_wav(corpus / "train/p0_3.wav", voice_like(9, 0.1))
    (corpus / "train/p1_0.wav").write_bytes((corpus / "train/p1_2.wav").read_bytes())
    (corpus / "train/p2_1.wav").write_bytes((corpus / "train/p1_1.wav").read_bytes())
    write_floats(corpus / "train/p2_0.wav", np.full(16_000, np.nan, np.float32))
    write_wav(corpus / "train/p2_2.wav", np.zeros(16_000, np.float32))
    (corpus / "train/p2_3.wav").write_bytes(b"")
    prepared = prepare(tmp_path / "data", corpus=corpus)
    assert len(prepared.rows) == 4
    reasons = {Path(item.path).name: item.reason for item in prepared.skipped}
    flaws = {Path(item.path).name: item.flaw for item in prepared.skipped}
    assert flaws == {
        "p0_1.wav": "unreadable",
        "p0_2.wav": "missing",
        "p0_3.wav": "short",
        "p1_2.wav": "duplicate",
        "p2_0.wav": "not-a-number",
        "p2_1.wav": "duplicate",
        "p2_2.wav": "silent",
        "p2_3.wav": "empty",
    }
    assert "cannot be decoded" in reasons["p0_1.wav"]
    assert reasons["p0_2.wav"] == "no such file"
    assert "shorter than" in reasons["p0_3.wav"]
    assert reasons["p1_2.wav"].startswith("same audio as")
    assert "which is of 'system-1'" in reasons["p2_1.wav"]
    listed = {Path(item.path).name: item.listed for item in prepared.skipped}
    assert listed["p0_2.wav"] == f"{corpus / 'manifest.csv'}, row 4"
    assert listed["p2_3.wav"] == f"{corpus / 'manifest.csv'}, row 13"
    assert read_skipped(tmp_path / "data/skipped.csv") == list(prepared.skipped)
    assert "8 skipped: 2 duplicate" in prepared.table()


def test_a_second_run_decodes_nothing_again(tmp_path: Path):
    corpus = write_corpus(tmp_path / "corpus")
    prepare(tmp_path / "data", corpus=corpus)
    audio = tmp_path / "data" / AUDIO_FILE
    before = audio.stat().st_mtime_ns, audio.stat().st_size
    index = (tmp_path / "data" / INDEX_FILE).read_bytes()
    again = prepare(tmp_path / "data", corpus=corpus)
    assert len(again.rows) == 12
    assert (tmp_path / "data" / INDEX_FILE).read_bytes() == index
    assert audio.stat().st_size == before[1]


def test_a_killed_run_goes_on_behind_its_last_whole_clip(tmp_path: Path):
    corpus = write_corpus(tmp_path / "corpus")
    prepare(tmp_path / "data", corpus=corpus)
    whole = [Clips.load(tmp_path / "data").pcm(i) for i in range(12)]
    index = tmp_path / "data" / INDEX_FILE
    # What a kill leaves: half of the index, and audio of a clip that the index never came to name.
    index.write_text("".join(index.read_text().splitlines(keepends=True)[:6]))
    prepare(tmp_path / "data", corpus=corpus)
    for i, pcm in enumerate(whole):
        np.testing.assert_array_equal(Clips.load(tmp_path / "data").pcm(i), pcm)


def test_any_number_of_tables_and_folders_go_into_one_manifest(tmp_path: Path):
    corpus = write_corpus(tmp_path / "corpus")
    write_wav(tmp_path / "mine/bonafide/studio/a.wav", voice_like(77))
    tables: list[Path] = []
    for name in ("first", "second"):
        write_wav(tmp_path / name / "clip.wav", voice_like(len(name) * 1000))
        tables.append(tmp_path / name / f"{name}.csv")
        tables[-1].write_text("path,label\nclip.wav,synthetic\n")
    prepared = prepare(tmp_path / "data", corpus=corpus, tables=tables, folders=[tmp_path / "mine"])
    assert [row.origin for row in prepared.rows[12:]] == ["csv:first", "csv:second", "folder:mine"]


def test_nothing_to_prepare_and_nothing_usable_are_errors(tmp_path: Path):
    with pytest.raises(DataError, match="nothing to prepare"):
        prepare(tmp_path / "data")
    (tmp_path / "bad/bonafide/p").mkdir(parents=True)
    (tmp_path / "bad/bonafide/p/a.wav").write_bytes(b"no audio")
    with pytest.raises(DataError, match="none of 1 clips can be used"):
        prepare(tmp_path / "data", folders=[tmp_path / "bad"])
