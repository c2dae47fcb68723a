"""Rendering engines: what is missing is said, what exists is kept, failures leave no half file."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from tests.trainer.trees import voice_like, write_wav
from trainer.decode import decode
from trainer.engines import ENGINES, FORMANT, TEXTS, Engine, Voice, read_texts, render_engines
from trainer.manifest import DataError

COPY = "import shutil, sys; shutil.copy(sys.argv[1], sys.argv[2])"


def engine_of(*command: str, languages: tuple[str, ...] = ("es",)) -> Engine:
    voices = {language: (Voice(command, "someone"),) for language in languages}
    return Engine("made-up", FORMANT, "none", voices)


def test_a_missing_engine_is_left_out_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert render_engines(tmp_path, [engine_of("no-such-engine", "{out}")]) == []
    assert "made-up: left out, no-such-engine not installed" in capsys.readouterr().err


def test_every_text_becomes_a_row_and_a_second_run_renders_nothing(tmp_path: Path):
    spoken = write_wav(tmp_path / "spoken.wav", voice_like(1))
    engine = engine_of(sys.executable, "-c", COPY, str(spoken), "{out}", languages=("es", "fr"))
    engine = Engine(
        engine.source, engine.family, engine.licence,
        {language: voices for language, voices in list(engine.voices.items())[:1]},
    )  # fmt: skip
    rows = render_engines(tmp_path / "out", [engine])
    assert len(rows) == len(read_texts("es")) == 20
    assert {(row.label, row.page, row.speaker) for row in rows} == {
        ("synthetic", "made-up", "someone")
    }
    spoken.unlink()  # the engine could not speak any more
    assert render_engines(tmp_path / "out", [engine]) == rows
    assert not list((tmp_path / "out").rglob("*.txt"))


def test_a_failing_engine_keeps_what_it_said_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    write_wav(tmp_path / "made-up/000.wav", voice_like(1))
    failing = engine_of(sys.executable, "-c", "raise SystemExit('no voice')", "{out}")
    assert [Path(row.path).name for row in render_engines(tmp_path, [failing])] == ["000.wav"]
    assert "no voice" in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.partial.wav"))


def test_texts_exist_for_every_language_and_repeat_nothing():
    for language in {language for engine in ENGINES for language in engine.voices}:
        texts = read_texts(language)
        assert len(texts) >= 20
        assert len(set(texts)) == len(texts)
    assert len(read_texts("en")) >= 60
    with pytest.raises(DataError, match=r"xx\.txt"):
        read_texts("xx")
    assert {path.stem for path in TEXTS.glob("*.txt")} == {"en", "es", "fr", "it", "de", "ru"}


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")
def test_espeak_voices_differ_from_each_other(tmp_path: Path):
    plain, klatt = ENGINES[:2]
    found: set[bytes] = set()
    voices = [*plain.voices["en"], *klatt.voices["en"]]
    for voice in voices:
        one = Engine("one", FORMANT, "", {"es": (voice,)})
        folder = tmp_path / voice.speaker
        for number in range(1, 20):  # only the first text is left to say
            write_wav(folder / f"one/{number:03d}.wav", voice_like(1))
        path = Path(render_engines(folder, [one])[0].path)
        found.add(decode(path)[0].tobytes())
    assert len(found) == len(voices)
