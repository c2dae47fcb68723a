"""Preparing a corpus: every clip once, bad ones listed, and a killed run goes on."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from tests.trainer.trees import voice_like, write_corpus, write_lines, write_wav
from trainer.audio_cache import AUDIO_FILE, INDEX_FILE, Clips, decode
from trainer.manifest import DataError
from trainer.prepare import prepare


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


def test_any_rate_and_channel_count_becomes_16_khz_mono(tmp_path: Path):
    path = write_wav(tmp_path / "a.wav", voice_like(1, 1.0, 8000), rate_hz=8000, channels=2)
    pcm, rate_hz = decode(path)
    assert rate_hz == 8000
    assert pcm.shape == (16_000,)
    assert 0.2 < np.abs(pcm).max() / 32768 < 0.4


def test_bad_clips_are_skipped_and_listed(tmp_path: Path):
    corpus = write_corpus(tmp_path / "corpus")
    (corpus / "train/p0_1.wav").write_bytes(b"this is no audio")
    (corpus / "train/p0_2.wav").unlink()
    write_wav(corpus / "train/p0_3.wav", voice_like(9, 0.1))
    (corpus / "train/p1_0.wav").write_bytes((corpus / "train/p1_1.wav").read_bytes())
    prepared = prepare(tmp_path / "data", corpus=corpus)
    assert len(prepared.rows) == 8
    reasons = {Path(item.path).name: item.reason for item in prepared.skipped}
    assert "cannot be decoded" in reasons["p0_1.wav"]
    assert "row 4: no such file" in reasons["p0_2.wav"]
    assert "shorter than" in reasons["p0_3.wav"]
    assert "same audio as" in reasons["p1_1.wav"]
    assert "labelled 'bonafide'" in reasons["p1_1.wav"]
    with (tmp_path / "data/skipped.csv").open() as file:
        assert {Path(line["path"]).name for line in csv.DictReader(file)} == set(reasons)


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


def test_folders_are_read_by_their_layout(tmp_path: Path):
    write_wav(tmp_path / "mine/bonafide/studio/a.wav", voice_like(1))
    write_wav(tmp_path / "mine/synthetic/engine-x/deeper/b.wav", voice_like(2))
    rows = prepare(tmp_path / "data", folders=[tmp_path / "mine"]).rows
    assert [(row.label, row.source, row.page) for row in rows] == [
        ("bonafide", "bonafide", "mine/studio"),
        ("synthetic", "engine-x", "mine/engine-x"),
    ]
    write_wav(tmp_path / "mine/other/c.wav", voice_like(3))
    with pytest.raises(DataError, match=r"other/c\.wav: want"):
        prepare(tmp_path / "data", folders=[tmp_path / "mine"])


def test_a_corpus_with_wrong_columns_or_labels_is_refused(tmp_path: Path):
    (tmp_path / "manifest.csv").write_text("path,label\na.wav,synthetic\n")
    with pytest.raises(DataError, match="missing"):
        prepare(tmp_path / "data", corpus=tmp_path)
    corpus = write_corpus(tmp_path / "corpus", pages=1)
    with (corpus / "manifest.csv").open() as file:
        lines = list(csv.DictReader(file))
    lines[2]["label"] = "maybe"
    write_lines(corpus / "manifest.csv", lines)
    with pytest.raises(DataError, match="row 4: label='maybe'"):
        prepare(tmp_path / "data", corpus=corpus)


def test_nothing_to_prepare_and_nothing_usable_are_errors(tmp_path: Path):
    with pytest.raises(DataError, match="nothing to prepare"):
        prepare(tmp_path / "data")
    (tmp_path / "bad/bonafide/p").mkdir(parents=True)
    (tmp_path / "bad/bonafide/p/a.wav").write_bytes(b"no audio")
    with pytest.raises(DataError, match="none of 1 clips can be used"):
        prepare(tmp_path / "data", folders=[tmp_path / "bad"])


def test_a_cache_that_lost_audio_says_so(tmp_path: Path):
    prepare(tmp_path / "data", corpus=write_corpus(tmp_path / "corpus"))
    (tmp_path / "data" / AUDIO_FILE).write_bytes(b"")
    with pytest.raises(DataError, match=r"audio\.i16: missing, empty or shorter"):
        Clips.load(tmp_path / "data")
    index = tmp_path / "data" / INDEX_FILE
    index.write_text("".join(index.read_text().splitlines(keepends=True)[:2]))
    with pytest.raises(DataError, match="11 rows have no audio"):
        Clips.load(tmp_path / "data")
