"""Human prompts: a fair share of each voice, no beeps, and never the demo's own speaker."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.trainer.trees import voice_like, write_wav
from trainer import prompts
from trainer.nonspeech import MUSIC_FILE, Nonspeech
from trainer.packages import unpacked
from trainer.prompts import MUSIC_PACKAGE, PACKAGES, PromptPackage, prompt_rows, unpack_music


def package_of(cache: Path, name: str, clips: int) -> PromptPackage:
    """A package as if it had been unpacked before."""
    folder = cache / name
    for number in range(clips):
        write_wav(folder / f"sounds/{number:02d}.wav", voice_like(number, 2.0, 8000), 8000)
    write_wav(folder / "sounds/short.wav", voice_like(90, 0.5, 8000), 8000)
    write_wav(folder / "sounds/letter.wav", voice_like(90, 0.1, 8000), 8000)
    write_wav(folder / "sounds/beep.wav", voice_like(91, 2.0, 8000), 8000)
    write_wav(folder / "sounds/silence/5.wav", voice_like(92, 2.0, 8000), 8000)
    (folder / ".unpacked").touch()
    return PromptPackage(name, "fr", f"voice-of-{name}", "CC-BY-3.0")


def test_prompts_are_long_enough_and_speech(tmp_path: Path):
    rows = prompt_rows(tmp_path, [package_of(tmp_path, "one", 5)])
    assert sorted(Path(row.path).name for row in rows) == [f"{n:02d}.wav" for n in range(5)]
    assert {(row.label, row.page, row.rate_hz, row.origin) for row in rows} == {
        ("bonafide", "one", 8000, "prompts:one")
    }


def test_voices_share_what_a_language_may_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(prompts, "MOST_PER_LANGUAGE", 6)
    packages = [package_of(tmp_path, "one", 5), package_of(tmp_path, "two", 5)]
    rows = prompt_rows(tmp_path, packages)
    assert [row.page for row in rows] == ["one"] * 3 + ["two"] * 3
    assert prompt_rows(tmp_path, packages) == rows


def test_the_demos_voice_is_in_no_package():
    names = {package.package for package in PACKAGES}
    assert not names & {"asterisk-core-sounds-en-wav", "asterisk-core-sounds-es-wav"}


def test_hold_music_becomes_one_file(tmp_path: Path):
    write_wav(tmp_path / MUSIC_PACKAGE / "a.wav", voice_like(1, 8.0))
    write_wav(tmp_path / MUSIC_PACKAGE / "b.wav", voice_like(2, 8.0))
    (tmp_path / MUSIC_PACKAGE / "c.wav").write_bytes(b"no audio")
    (tmp_path / MUSIC_PACKAGE / ".unpacked").touch()
    unpack_music(tmp_path, tmp_path)
    assert (tmp_path / MUSIC_FILE).stat().st_size == 2 * 16 * 16_000
    assert "music" in Nonspeech.load(tmp_path).kinds
    assert np.abs(Nonspeech.load(tmp_path).draw(np.random.default_rng(0), 800)).max() <= 1
    assert "music" not in Nonspeech.load(tmp_path / "elsewhere").kinds


def test_without_apt_a_package_is_left_out_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert unpacked("asterisk-core-sounds-fr-wav", tmp_path) is None
    assert "left out, this machine has no apt-get" in capsys.readouterr().err


def test_a_failed_download_is_said_and_leaves_nothing_that_looks_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("apt-get", "dpkg-deb"):
        (programs / name).write_text("#!/bin/sh\necho 'no network' >&2\nexit 100\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/bin")
    assert unpacked("some-package", tmp_path / "cache") is None
    assert "some-package: left out, cannot be fetched: apt-get: no network" in (
        capsys.readouterr().err
    )
    assert not (tmp_path / "cache/some-package").exists()
