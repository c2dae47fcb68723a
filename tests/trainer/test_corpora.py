"""Tables and folders become rows; a wrong cell is told by file, row and rule before any work."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.trainer.trees import voice_like, write_corpus, write_lines, write_wav
from trainer.corpora import Gathered, add_corpus, add_csv, add_folder
from trainer.manifest import BONAFIDE_SOURCE, UNKNOWN_SOURCE, DataError


def gathered_from(table: Path) -> Gathered:
    gathered = Gathered()
    add_csv(gathered, table)
    return gathered


def table_of(folder: Path, *lines: str) -> Path:
    for i in range(4):
        write_wav(folder / f"sub/{i}.wav", voice_like(i))
    path = folder / "mine.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_path_and_label_are_enough_and_pageless_clips_are_one_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = table_of(tmp_path, "path,label", "sub/0.wav,bonafide", "sub/1.wav,synthetic")
    gathered = gathered_from(path)
    human, fake = gathered.rows
    assert (human.family, human.source, human.page) == ("human", BONAFIDE_SOURCE, "csv:mine")
    assert (fake.family, fake.source, fake.page) == ("unknown", UNKNOWN_SOURCE, "csv:mine")
    assert (human.origin, human.rate_hz, human.lossy) == ("csv:mine", 0, False)
    assert gathered.listed == [f"{path}, row 2", f"{path}, row 3"]
    said = capsys.readouterr().err
    assert f"{path}: 2 of 2 rows name no page; they count as one, 'csv:mine'" in said


def test_every_known_column_is_taken_and_others_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = table_of(
        tmp_path,
        "\ufeffpath,label,family,source,page,speaker,language,parallel_id,licence,"
        "transcript,original_rate,lossy_source,split,mood",
        'sub/0.wav, synthetic ,vocoder-gan,hifigan,p1,ann,en,7,MIT,"so, then",22050,1,dev,glad',
        "sub/1.wav,bonafide,human,bonafide,p1,ann,en,7,MIT,,,,,",
    )
    fake, human = gathered_from(path).rows
    assert (fake.family, fake.source, fake.page, fake.speaker) == (
        "vocoder-gan",
        "hifigan",
        "p1",
        "ann",
    )
    assert (fake.transcript, fake.rate_hz, fake.lossy) == ("so, then", 22_050, True)
    assert fake.parallel_id == human.parallel_id == "mine/7"
    assert (fake.origin, human.origin) == ("csv:mine:dev", "csv:mine")
    assert "columns not used: mood" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("file,label", "a,synthetic"), r"mine\.csv, row 1: wrong columns: missing \['path'\]"),
        (("path,label,source,system", "a,b,c,d"), "row 1: has both source and system"),
        (("path,label", "sub/0.wav,fake"), "row 2: label='fake': want bonafide or synthetic"),
        (("path,label", ",bonafide"), "row 2: path='': want a file"),
        (("path,label,system", "sub/0.wav,bonafide,vits"), "row 2: system='vits': want 'bonafide'"),
        (("path,label,source", "a,synthetic,bonafide"), "row 2: source='bonafide': want"),
        (("path,label,family", "a,synthetic,human"), "row 2: family='human': want 'human' for"),
        (("path,label,original_rate", "a,bonafide,16k"), "original_rate='16k': want a whole"),
        (("path,label,lossy_source", "a,bonafide,yes"), "lossy_source='yes': want 0 or 1"),
        (("path,label", "a,bonafide,more"), "row 2: want 2 cells"),
    ],
)
def test_a_wrong_table_is_refused_by_row_and_rule(
    tmp_path: Path, lines: tuple[str, ...], message: str
):
    with pytest.raises(DataError, match=message):
        gathered_from(table_of(tmp_path, *lines))


def test_files_that_are_not_there_are_listed_with_their_rows(tmp_path: Path):
    path = table_of(
        tmp_path, "path,label", "sub/0.wav,bonafide", "gone.wav,bonafide", "sub,bonafide"
    )
    gathered = gathered_from(path)
    assert len(gathered.rows) == 1
    assert [(item.listed, item.flaw) for item in gathered.unusable] == [
        (f"{path}, row 3", "missing"),
        (f"{path}, row 4", "unreadable"),
    ]


def test_a_corpus_tells_page_and_system_of_every_clip(tmp_path: Path):
    (tmp_path / "manifest.csv").write_text("path,label\na.wav,synthetic\n")
    with pytest.raises(DataError, match="missing"):
        add_corpus(Gathered(), tmp_path)
    corpus = write_corpus(tmp_path / "corpus", pages=1)
    with (corpus / "manifest.csv").open() as file:
        lines = list(csv.DictReader(file))
    for column, message in (("page", "row 4: page and system"), ("label", "row 4: label='maybe'")):
        changed = [dict(line) for line in lines]
        changed[2][column] = "" if column == "page" else "maybe"
        write_lines(corpus / "manifest.csv", changed)
        with pytest.raises(DataError, match=message):
            add_corpus(Gathered(), corpus)


def test_folders_are_read_by_their_layout(tmp_path: Path):
    write_wav(tmp_path / "mine/bonafide/studio/a.wav", voice_like(1))
    write_wav(tmp_path / "mine/synthetic/engine-x/deeper/b.wav", voice_like(2))
    gathered = Gathered()
    add_folder(gathered, tmp_path / "mine")
    assert [(row.label, row.source, row.page) for row in gathered.rows] == [
        ("bonafide", "bonafide", "mine/studio"),
        ("synthetic", "engine-x", "mine/engine-x"),
    ]
    write_wav(tmp_path / "mine/other/c.wav", voice_like(3))
    with pytest.raises(DataError, match=r"other/c\.wav: want"):
        add_folder(Gathered(), tmp_path / "mine")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no audio"):
        add_folder(Gathered(), tmp_path / "empty")
