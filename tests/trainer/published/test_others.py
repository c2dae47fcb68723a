"""ADD 2023, XMAD-Bench, STOPA, In-the-Wild by their layouts; kinds and options by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamtrace.errors import SettingsError
from tests.trainer.published.trees import asked, listed, text
from tests.trainer.trees import voice_like, write_wav
from trainer.manifest import DataError
from trainer.published.catalogue import KINDS, published

README = Path(__file__).parents[3] / "trainer/published/README.md"


def test_add_2023_has_a_human_class_and_one_never_met(tmp_path: Path) -> None:
    text(tmp_path / "label/train.txt", "a.wav 0", "b.wav 3")
    text(tmp_path / "label/dev.txt", "c.wav 6")
    text(tmp_path / "eval/label.txt", "d.wav 7")
    found = listed("add2023-t3", tmp_path).entries
    assert [(entry.source, entry.split) for entry in found] == [
        ("", "train"),
        ("add2023-3", "train"),
        ("add2023-6", "dev"),
        ("add2023-7", "eval"),
    ]
    assert (found[0].label, found[3].path) == ("bonafide", tmp_path / "eval/wav/d.wav")
    with pytest.raises(DataError, match=r"label\.txt: rows: want 79490, found 1"):
        asked("add2023-t3", tmp_path).listed()
    text(tmp_path / "label/dev.txt", "c.wav 7")
    with pytest.raises(DataError, match=r"dev\.txt, row 1: class '7': want 0 to 6"):
        listed("add2023-t3", tmp_path)


def test_xmad_is_read_between_tabs_and_between_commas(tmp_path: Path) -> None:
    text(tmp_path / "commonvoice-ru/meta.csv", "sample_name\tis_fake\tsplit", "a.wav\t1\ttrain")
    text(tmp_path / "mls-de/meta.csv", "sample_name,is_fake,split", "b.wav,0,val", "b.wav,1,test")
    ru, human, fake = listed("xmad", tmp_path).entries
    assert (ru.path, ru.language) == (tmp_path / "commonvoice-ru/fake/a.wav", "ru")
    assert [entry.split for entry in (ru, human, fake)] == ["train", "dev", "eval"]
    assert human.path == tmp_path / "mls-de/real/b.wav"
    assert human.parallel_id == fake.parallel_id
    (only,) = listed("xmad", tmp_path / "commonvoice-ru").entries
    assert only == ru
    text(tmp_path / "mls-de/meta.csv", "sample_name,is_fake,split", "b.wav,yes,val")
    with pytest.raises(DataError, match=r"mls-de/meta\.csv, row 2: is_fake='yes'"):
        listed("xmad", tmp_path)


def test_stopa_is_read_by_its_folders(tmp_path: Path) -> None:
    write_wav(tmp_path / "wav/AA01/dev/p225_001.wav", voice_like(1))
    write_wav(tmp_path / "wav/AA02/eval/odd.wav", voice_like(2))
    enrolled, trial = listed("stopa", tmp_path).entries
    assert (enrolled.source, enrolled.split, enrolled.speaker) == ("stopa-aa01", "dev", "p225")
    assert (trial.source, trial.split, trial.page) == ("stopa-aa02", "eval", "stopa/AA02")
    assert listed("stopa", tmp_path, "dev-is-train").entries[0].split == "train"
    (tmp_path / "wav/AA02/other").mkdir()
    with pytest.raises(DataError, match="other: want one of train, dev, eval"):
        listed("stopa", tmp_path)


def test_in_the_wild_is_all_to_judge_by(tmp_path: Path) -> None:
    table = tmp_path / "release_in_the_wild/meta.csv"
    text(table, "file,speaker,label", "0.wav,Ann Poe,spoof", '1.wav,"Poe, Ann",bona-fide')
    fake, human = listed("in-the-wild", tmp_path).entries
    assert (fake.label, human.label, fake.split) == ("synthetic", "bonafide", "eval")
    assert (human.speaker, human.path) == ("Poe, Ann", table.parent / "1.wav")
    with pytest.raises(DataError, match="bonafide rows: want 19963, found 1"):
        asked("in-the-wild", tmp_path).listed()
    text(table, "file,speaker,label", "0.wav,Ann Poe,fake")
    with pytest.raises(DataError, match=r"row 2: label='fake': want bona-fide or spoof"):
        listed("in-the-wild", tmp_path)


@pytest.mark.parametrize(
    ("datasets", "options", "complaint"),
    [
        (["vctk=x"], [], "--dataset vctk=x: want KIND=DIR, KIND one of mlaad, "),
        (["mlaad"], [], "--dataset mlaad: want KIND=DIR"),
        (["xmad=x"], ["mlaad.only-tts"], "no --dataset mlaad=DIR is given"),
        (["mlaad=x"], ["mlaad.tiny"], "want one of: mlaad.protocol=DIR"),
        (["mlaad=x"], ["mlaad.protocol"], "want one of: mlaad.protocol=DIR"),
        (["mlaad=x"], ["mlaad.only-tts=yes"], "mlaad.only-tts leave out griffin_lim"),
    ],
)
def test_what_nothing_has_is_refused_with_what_there_is(
    datasets: list[str], options: list[str], complaint: str
) -> None:
    with pytest.raises(SettingsError, match=complaint):
        published(datasets, options)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere: no such folder; want the xmad corpus"):
        asked("xmad", tmp_path / "nowhere").listed()


def test_kinds_and_options_are_documented() -> None:
    told = README.read_text("utf-8")
    names = [*KINDS, *(option for kind in KINDS.values() for option in kind.options)]
    assert [name for name in names if f"`{name}`" not in told] == []
