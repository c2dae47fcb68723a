"""The doctor passes sound data and finds every leak that is planted, with row, file and rule."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from streamtrace.errors import SettingsError
from streamtrace.values import Float32s
from tests.trainer.doctored import clips_of, sound_clips, sound_rows, speech_like
from tests.trainer.trees import row, write_corpus
from trainer.__main__ import main
from trainer.doctor import Diagnosis, examine, examine_folder
from trainer.doctor_text import report
from trainer.findings import Finding
from trainer.folds import assign_folds
from trainer.manifest import Row, read_manifest, write_manifest
from trainer.prepare import prepare
from trainer.splits import Split, own_splits, splits_of

ROWS = sound_rows()
PCM = sound_clips(ROWS)
FOLDS = assign_folds(ROWS, 3)


def diagnose(
    rows: Sequence[Row] = ROWS,
    pcm: Sequence[Float32s] = PCM,
    splits: Sequence[Split] | None = None,
    lines: Sequence[str] = (),
) -> Diagnosis:
    """Nuisance is what takes time: it is measured where a test is about it."""
    return examine(clips_of(rows, pcm), splits or splits_of(rows, FOLDS), lines=lines)


def found(diagnosis: Diagnosis, rule: str) -> list[Finding]:
    return [finding for finding in diagnosis.findings if finding.rule == rule]


def changed(i: int, **changes: object) -> list[Row]:
    return [*ROWS[:i], replace(ROWS[i], **changes), *ROWS[i + 1 :]]


def test_sound_data_pass_with_both_labels_and_sources_in_every_fold():
    diagnosis = examine(clips_of(ROWS, PCM), own_splits(ROWS, 3), lines=("clean",))
    assert diagnosis.exit_code == 0, report(diagnosis)
    assert not diagnosis.alike
    for leaks in diagnosis.leaks[:3]:
        assert leaks.known_sources
        assert leaks.unknown_sources
    text = report(diagnosis)
    assert "9 pages: 9 of both labels" in text
    assert "only for the 3 of 12 sources on two pages or more" in text
    assert "system-0 3, system-1 3, system-2 3" in text


def test_a_page_in_two_folds():
    folds = FOLDS.copy()
    folds[0] = (folds[0] + 1) % 3
    diagnosis = diagnose(splits=splits_of(ROWS, folds))
    assert diagnosis.exit_code == 1
    errors = found(diagnosis, "a page in two folds")
    assert errors
    assert "page 'owner-0/page' is tested by manifest.csv, row " in errors[0].text
    assert "(p0-0.wav)" in " ".join(error.text for error in errors)
    utterances = found(diagnosis, "an utterance on both sides")
    assert "'p0u0'" in utterances[0].text


def test_one_page_under_two_names():
    other = int(np.flatnonzero(FOLDS[0] != FOLDS)[0])
    diagnosis = diagnose(changed(other, page="Owner 0 / Page"))
    assert "Owner 0 / Page" in found(diagnosis, "one page under two names")[0].text


def test_a_speaker_across_folds():
    other = int(np.flatnonzero(FOLDS[0] != FOLDS)[0])
    diagnosis = diagnose(changed(other, speaker=ROWS[0].speaker))
    assert len(found(diagnosis, "speakers on both sides")) == 2
    assert not found(diagnose(), "speakers on both sides")


def test_a_clip_under_another_name_with_another_label():
    other = int(np.flatnonzero(FOLDS[0] != FOLDS)[1])
    assert ROWS[other].label != ROWS[0].label
    voice = speech_like(5, 3.0)
    quieter = voice[1_111:] * np.float32(0.4)
    pcm = [voice if i == 0 else quieter if i == other else one for i, one in enumerate(PCM)]
    diagnosis = diagnose(pcm=pcm)
    assert diagnosis.exit_code == 1
    (error,) = found(diagnosis, "one recording, two labels")
    assert f"manifest.csv, row 2 (p0-0.wav) is bonafide but manifest.csv, row {other + 2} (" in (
        error.text
    )
    assert len(found(diagnosis, "a recording on both sides")) == 2
    assert len(found(diagnosis, "copies on both sides")) == 2


def test_the_same_samples_are_found_however_short():
    pcm = [PCM[0] if i == 1 else one for i, one in enumerate(PCM)]
    diagnosis = diagnose(pcm=pcm)
    assert len(found(diagnosis, "one recording, two labels")) == 1
    pcm = [PCM[0] if i == 3 else one for i, one in enumerate(PCM)]
    diagnosis = diagnose(pcm=pcm)
    assert diagnosis.exit_code == 0
    assert "1 pairs of clips" in found(diagnosis, "recordings that recur")[0].text


def test_a_level_that_tells_the_labels():
    level = [np.float32(0.9 if one.is_synthetic else 0.3) for one in ROWS]
    pcm = [one / np.abs(one).max() * k for one, k in zip(PCM, level, strict=True)]
    diagnosis = diagnose(pcm=pcm, lines=("clean",))
    assert diagnosis.exit_code == 1
    errors = found(diagnosis, "a shortcut")
    assert len(errors) == 3
    assert "level by itself with 1.00" in errors[0].text
    assert all(shortcut.strongest[0] == "level" for shortcut in diagnosis.shortcuts)
    assert "100*" in report(diagnosis)


def test_an_origin_that_tells_the_labels():
    rows = [replace(one, rate_hz=22_050 if one.is_synthetic else 16_000) for one in ROWS]
    errors = found(diagnose(rows, lines=("clean",)), "a shortcut")
    assert "lossy origin, rate by itself with 1.00" in errors[0].text


def test_a_class_with_one_clip():
    (warning,) = found(diagnose(changed(1, source="rare")), "a class with one clip")
    assert "source 'rare' has one clip: manifest.csv, row 3 (p0-1.wav)" in warning.text


def test_a_test_of_one_label_and_folds_without_known_or_unknown_sources():
    rows = [one for one, fold in zip(ROWS, FOLDS, strict=True) if fold or one.is_synthetic]
    pcm = [p for p, one, fold in zip(PCM, ROWS, FOLDS, strict=True) if fold or one.is_synthetic]
    folds = np.array([f for one, f in zip(ROWS, FOLDS, strict=True) if f or one.is_synthetic])
    (error,) = found(diagnose(rows, pcm, splits_of(rows, folds)), "a test of one label")
    assert error.severity == "error"
    assert "fold 0: judges no human clip" in error.text
    rows = [replace(one, source="system-0") if one.is_synthetic else one for one in ROWS]
    assert len(found(diagnose(rows), "no unknown sources")) == 3
    rows = [replace(one, source=one.page) if one.is_synthetic else one for one in ROWS]
    assert len(found(diagnose(rows), "no known sources")) == 3


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"original_sha256": "f" * 64}, "no clip of that hash is in the manifest"),
        ({"page": "elsewhere"}, "that is of page 'owner-0/page', this of 'elsewhere'"),
    ],
)
def test_a_pair_without_its_original(changes: dict[str, str], told: str):
    pair = row(
        **{
            "path": "made.wav",
            "page": ROWS[0].page,
            "origin": "pairs:v",
            "original_sha256": ROWS[0].sha256,
            **changes,
        }
    )
    diagnosis = diagnose(
        [*ROWS, pair], [*PCM, speech_like(1)], splits_of([*ROWS, pair], np.append(FOLDS, FOLDS[0]))
    )
    (error,) = found(diagnosis, "a pair without its original")
    assert f"row {len(ROWS) + 2} (made.wav)" in error.text
    assert told in error.text


def test_families_on_one_page_languages_of_one_label_and_unmarked_lossy_files():
    rows = changed(1, family="rare-family", language="fr")
    rows = [replace(one, lossy=False) for one in rows]
    diagnosis = diagnose(rows)
    assert "rare-family" in found(diagnosis, "a family on one page")[0].text
    assert "'fr' are synthetic" in found(diagnosis, "a language of one label")[0].text
    assert found(diagnosis, "no clip is marked as lossy")
    assert "rare-family" in found(diagnosis, "families never trained on")[0].text


def test_the_command_reports_and_exits_by_what_it_finds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    data = tmp_path / "data"
    prepare(data, corpus=write_corpus(tmp_path / "corpus", pages=3))
    arguments = ["doctor", "--data", str(data), "--line", "clean"]
    assert main(arguments) == 0
    assert "which figures can be trusted" in capsys.readouterr().out
    assert main([*arguments, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["exit_code"] == 0
    assert [leaks["split"] for leaks in told["leaks"]][:3] == ["fold 0", "fold 1", "fold 2"]
    rows = read_manifest(data / "manifest.csv")
    folds = tmp_path / "folds.csv"
    folds.write_text(
        "sha256,fold\n" + "".join(f"{one.sha256},{i % 2}\n" for i, one in enumerate(rows))
    )
    assert main([*arguments, "--split", str(folds)]) == 1
    out = capsys.readouterr().out
    assert "error: a page in two folds" in out
    assert f"put all clips of a page into one fold of {folds}" in out


def test_the_command_exits_with_two_on_bad_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(["doctor", "--data", str(tmp_path / "nowhere")]) == 2
    assert "manifest.csv" in capsys.readouterr().err
    write_manifest(tmp_path / "manifest.csv", [row()])
    (tmp_path / "manifest.csv").write_text("path,label\na,synthetic\n")
    assert main(["doctor", "--data", str(tmp_path)]) == 2
    assert "row 1: wrong columns" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda folder: examine_folder(folder, folds=1), "folds=1: want two or more"),
        (lambda folder: examine_folder(folder, lines=["fax"]), "line='fax': no such line"),
    ],
)
def test_wrong_settings_are_refused(
    tmp_path: Path, call: Callable[[Path], Diagnosis], message: str
):
    with pytest.raises(SettingsError, match=message):
        call(tmp_path)
