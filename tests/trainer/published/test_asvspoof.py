"""ASVspoof of three years: keys, attacks, subsets and counts as they were published."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.trainer.published.trees import asked, asvspoof2019, listed, text
from trainer.manifest import DataError

LA_2021 = (
    "LA_0009 LA_E_0000001 alaw ita_tx A07 spoof notrim eval",
    "LA_0009 LA_E_0000002 none loc_tx bonafide bonafide notrim progress",
    "LA_0010 LA_E_0000003 opus sin_tx A16 spoof trim hidden",
)
DF_2021 = (
    "LA_0023 DF_E_2000011 nocodec asvspoof A14 spoof notrim progress traditional_vocoder - - - -",
    "TEF2 DF_E_2000013 low_m4a vcc2020 Task1-team20 spoof notrim eval "
    "neural_vocoder_nonautoregressive Task1 team20 FF E",
    "LA_0048 DF_E_2000058 mp3m4a asvspoof - bonafide notrim hidden bonafide - - - -",
)


def test_2019_names_attacks_and_splits(tmp_path: Path) -> None:
    asvspoof2019(tmp_path / "LA", speakers=1, attacks=("A04", "A06"))
    found = listed("asvspoof2019-la", tmp_path).entries  # the folder above LA does, too
    assert [(entry.split, entry.label) for entry in found[:3]] == [
        ("train", "bonafide"),
        ("train", "bonafide"),
        ("train", "synthetic"),
    ]
    assert {entry.source for entry in found} == {
        "",
        "asvspoof2019-a04",
        "asvspoof2019-a06",
        "asvspoof2019-a07",
    }
    assert all(entry.path.exists() for entry in found)
    assert found[0].page == "asvspoof2019-la/LA_T000"
    with pytest.raises(DataError, match=r"want \(2580, 22800\), found \(2, 6\)"):
        asked("asvspoof2019-la", tmp_path).listed()


def test_2019_s_twins_can_be_one(tmp_path: Path) -> None:
    asvspoof2019(tmp_path, speakers=1, attacks=("A16", "A19"))
    apart = {entry.source for entry in listed("asvspoof2019-la", tmp_path).entries}
    one = {entry.source for entry in listed("asvspoof2019-la", tmp_path, "same-attacks").entries}
    assert {"asvspoof2019-a16", "asvspoof2019-a19"} <= apart
    assert one == {"", "asvspoof2019-a04", "asvspoof2019-a06", "asvspoof2019-a07"}


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("LA_1 LA_T_1 - A01 fake", "row 2: key 'fake': want bonafide or spoof"),
        ("LA_1 LA_T_1 - - spoof", "row 2: attack '-': want - for humans"),
        ("LA_1 LA_T_1 - A20 spoof", "row 2: attack 'A20'"),
        ("LA_1 LA_T_1 A01 spoof", "row 2: want 5 cells, found 4"),
    ],
)
def test_a_row_that_cannot_be_is_told(tmp_path: Path, row: str, complaint: str) -> None:
    table = tmp_path / "ASVspoof2019_LA_cm_protocols/ASVspoof2019.LA.cm.train.trn.txt"
    text(table, "LA_1 LA_T_0 - - bonafide", row)
    with pytest.raises(DataError, match=complaint):
        listed("asvspoof2019-la", tmp_path)


def test_2021_la_subsets_and_lines(tmp_path: Path) -> None:
    keys = text(tmp_path / "LA-keys-full/keys/LA/CM/trial_metadata.txt", *LA_2021)
    found = listed("asvspoof2021-la", tmp_path)
    assert [(e.split, e.detail, e.source) for e in found.entries] == [
        ("eval", "alaw", "asvspoof2019-a07"),
        ("dev", "none", ""),
    ]
    assert found.entries[0].path == tmp_path / "ASVspoof2021_LA_eval/flac/LA_E_0000001.flac"
    (hidden,) = found.left_out
    assert (hidden.flaw, hidden.listed) == ("hidden", f"{keys}, row 3")
    everything = listed("asvspoof2021-la", tmp_path, "hidden").entries
    assert (everything[2].split, everything[2].detail) == ("eval", "opus+hidden")
    with pytest.raises(DataError, match="rows of the progress subset: want 16464, found 1"):
        asked("asvspoof2021-la", tmp_path).listed()


def test_2021_df_parts_and_sources(tmp_path: Path) -> None:
    keys = text(tmp_path / "elsewhere.txt", *DF_2021)
    for part in (0, 1):
        flac = tmp_path / f"ASVspoof2021_DF_eval_part0{part}/ASVspoof2021_DF_eval/flac"
        text(flac / ("DF_E_2000011.flac" if part == 0 else "DF_E_2000013.flac"), "")
    old, new = listed("asvspoof2021-df", tmp_path, f"keys={keys}").entries
    assert (old.source, old.family, old.lossy) == ("asvspoof2019-a14", "dsp-vocoder", False)
    assert (new.source, new.family, new.lossy) == ("vcc2020-task1-team20", "vocoder-parallel", True)
    assert old.path.exists()
    assert new.path.exists()
    with pytest.raises(DataError, match=r"has no keys of the DF track: looked for keys/DF/CM"):
        listed("asvspoof2021-df", tmp_path)


def test_5_is_spaced_whatever_its_name_says(tmp_path: Path) -> None:
    rows = {
        "train": "T_4850 T_0000000001 F - - - AC3 A05 spoof -",
        "dev.track_1": "D_0062 D_0000000001 M - - - - bonafide bonafide -",
        "eval.track_1": "E_0001 E_0000000007 M C05 2 E_0000000001 AC1 A18 spoof -",
    }
    for name, row in rows.items():
        text(tmp_path / f"ASVspoof5_protocols/ASVspoof5.{name}.tsv", row)
    taught, human, coded = listed("asvspoof5", tmp_path).entries
    assert (taught.source, taught.path) == (
        "asvspoof5-a05",
        tmp_path / "flac_T/T_0000000001.flac",
    )
    assert (human.label, human.split, human.page) == ("bonafide", "dev", "asvspoof5/D_0062")
    assert (coded.detail, coded.parallel_id) == ("C05", "asvspoof5/E_0000000001")
    assert coded.path.parent.name == "flac_E_eval"
    with pytest.raises(DataError, match=r"want \(18797, 163560\), found \(0, 1\)"):
        asked("asvspoof5", tmp_path).listed()
