"""MLAAD by its folders, and by the official protocol with its known flaws."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from tests.trainer.published.trees import asked, listed, mlaad_model, mlaad_protocol, text
from tests.trainer.trees import voice_like, write_wav
from trainer.manifest import DataError
from trainer.prepare import prepare

OFFICIAL = os.environ.get("STREAMTRACE_MLAAD_PROTOCOL")


@pytest.mark.parametrize("prefix", ["./{home}/", "{home}/", ""])
def test_every_version_s_paths_lead_to_its_clips(tmp_path: Path, prefix: str) -> None:
    mlaad_model(tmp_path, "en", "tts_models/en/ljspeech/vits", ["x_01", "x_02"], prefix)
    found = listed("mlaad", tmp_path).entries
    home = tmp_path / "fake/en/tts_models_en_ljspeech_vits"
    assert [entry.path for entry in found] == [home / "x_01.wav", home / "x_02.wav"]
    assert found[1].listed == f"{home / 'meta.csv'}, row 3"
    assert {entry.source for entry in found} == {"tts_models/en/ljspeech/vits"}
    assert {(entry.family, entry.split) for entry in found} == {("tts-e2e-vae", "")}
    assert found[0].transcript == '"So, then'  # a quotation mark is a letter here
    assert found[0].parallel_id == "mlaad/en/x_01"


def test_clips_without_a_table_are_named_after_their_folder(tmp_path: Path) -> None:
    home = mlaad_model(tmp_path, "de", "griffin_lim", ["x_01"], "")
    write_wav(home / "y_01.wav", voice_like(1))
    found = listed("mlaad", tmp_path)
    assert [entry.path.name for entry in found.entries] == ["x_01.wav", "y_01.wav"]
    assert "1 clips beside it are not in it" in found.said[0]
    without = listed("mlaad", tmp_path, "only-tts")
    assert not without.entries
    assert {item.flaw for item in without.left_out} == {"vocoded"}
    (home / "meta.csv").unlink()
    write_wav(tmp_path / "original/en/book/wavs/x_01.wav", voice_like(3))
    fake, _, human = listed("mlaad", tmp_path).entries
    assert (fake.listed, fake.source) == ("", "griffin_lim")
    assert (human.label, human.page) == ("bonafide", "mlaad-original/en/book")


def test_missing_clips_and_originals_are_named_with_their_rows(tmp_path: Path) -> None:
    corpus, originals = tmp_path / "mlaad", tmp_path / "m-ailabs"
    home = mlaad_model(corpus, "en", "suno/bark", ["x_01", "x_02"], "./{home}/")
    (home / "x_02.wav").unlink()
    write_wav(originals / "en_XX/by_book/female/ann/book/wavs/x_01.wav", voice_like(5))
    wanted = asked("mlaad", corpus, f"originals={originals}")
    prepared = prepare(tmp_path / "data", datasets=[wanted])
    human, fake = sorted(prepared.rows, key=lambda row: row.label)
    assert human.parallel_id == fake.parallel_id == "mlaad/en/x_01"
    assert (human.speaker, human.page) == ("ann", "m-ailabs/en_XX/by_book/female/ann/book")
    assert (fake.licence, human.licence) == ("CC-BY-NC-4.0", "")
    assert {(Path(item.path).parent.name, item.listed, item.flaw) for item in prepared.skipped} == {
        ("suno_bark", f"{home / 'meta.csv'}, row 3", "missing"),
        ("wavs", f"{home / 'meta.csv'}, row 3", "missing"),
    }


@pytest.mark.parametrize("before", ["./", ""])
def test_the_protocol_s_splits_and_conditions(tmp_path: Path, before: str) -> None:
    protocol = mlaad_protocol(tmp_path / "protocol", before=before)
    found = listed("mlaad", tmp_path, f"protocol={protocol}")
    assert Counter(entry.split for entry in found.entries) == {"train": 4, "dev": 4, "eval": 5}
    assert found.entries[0].path == tmp_path / "fake/en/suno_bark/a_01.wav"
    told = [(entry.split, entry.detail) for entry in found.entries if entry.source == "suno/bark"]
    assert told == [("train", ""), ("train", "")] + [("eval", "seen-language+seen-model")] * 2
    (twice,) = found.left_out
    assert (twice.flaw, twice.listed) == ("duplicate", f"{protocol / 'eval.csv'}, row 4")
    assert all("not the archive's own file" in text for text in found.said)
    published = listed("mlaad", tmp_path, f"protocol={protocol}", "fine-as-published")
    details = [e.detail for e in published.entries if e.split == "eval" and e.source == "suno/bark"]
    assert details == ["seen-language+new-model", "seen-language+seen-model"]


@pytest.mark.parametrize(
    ("option", "flaw", "gone"),
    [
        ("drop-leaky-ood", "leaky", {("dev", "c_02"), ("eval", "d_03")}),
        ("drop-shared-texts", "shared-text", {("eval", "a_01")}),
        ("drop-unasked", "unasked", {("train", "b_01")}),
        ("only-tts", "vocoded", {("train", "a_01"), ("dev", "c_01"), ("eval", "d_02")}),
    ],
)
def test_each_option_leaves_out_what_it_says(
    tmp_path: Path, option: str, flaw: str, gone: set[tuple[str, str]]
) -> None:
    protocol = mlaad_protocol(tmp_path)
    everything = listed("mlaad", tmp_path, f"protocol={protocol}")
    fewer = listed("mlaad", tmp_path, f"protocol={protocol}", option)
    left = {(entry.split, entry.path) for entry in fewer.entries}
    missing = [e for e in everything.entries if (e.split, e.path) not in left]
    assert {(entry.split, entry.path.stem) for entry in missing} == gone
    assert Counter(item.flaw for item in fewer.left_out)[flaw] == len(missing)


def test_other_counts_and_odd_paths_are_refused(tmp_path: Path) -> None:
    protocol = mlaad_protocol(tmp_path)
    told = asked("mlaad", tmp_path, f"protocol={protocol}")
    with pytest.raises(DataError, match=r"train\.csv: rows: want 11100, found 4; .*any-counts"):
        told.listed()
    text(protocol / "train.csv", "path,model_name", "fake/en/bark/a.wav,suno/bark")
    with pytest.raises(DataError, match=r"train\.csv, row 2: .*want fake/LANGUAGE/suno_bark/FILE"):
        told.listed()
    text(protocol / "train.csv", "path,model", "fake/en/bark/a.wav,suno/bark")
    with pytest.raises(DataError, match=r"row 1: wrong columns: missing \['model_name'\]"):
        told.listed()
    with pytest.raises(DataError, match="holds no fake/LANGUAGE/MODEL"):
        listed("mlaad", tmp_path / "fine")


@pytest.mark.skipif(not OFFICIAL, reason="STREAMTRACE_MLAAD_PROTOCOL names no folder")
def test_the_official_protocol_itself(tmp_path: Path) -> None:
    wanted = asked("mlaad", tmp_path, f"protocol={OFFICIAL}")
    found = wanted.listed()
    assert not found.said  # the archive's own files, by their hashes
    counts = Counter(entry.split for entry in found.entries)
    assert counts == {"train": 11_100, "dev": 12_000, "eval": 33_900 - 109}
    assert Counter(item.flaw for item in found.left_out) == {"duplicate": 109}
    assert not [entry.source for entry in found.entries if entry.family == "unknown"]
    fine = Counter(e.detail for e in found.entries if e.split == "eval")
    assert fine["seen-language+new-model"] == 7_500 - 91  # vits--neon's rows are elsewhere

    options = ("drop-leaky-ood", "drop-shared-texts", "drop-unasked")
    clean = asked("mlaad", tmp_path, f"protocol={OFFICIAL}", *options).listed()
    flaws = Counter(item.flaw for item in clean.left_out)
    texts = {Path(i.path).name for i in clean.left_out if i.flaw == "shared-text"}
    assert flaws["unasked"] == 900
    assert len(texts) <= 1_539
    sources = {e.source for e in clean.entries if e.split != "train"}
    assert "WhisperSpeech" not in sources
    assert "tts_models/multilingual/multi-dataset/bark" not in sources
