"""Prompts come from the cache, else from the package archive, else there are none."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from streamtrace.demo.humans import PACKAGE, PROMPTS, NoHumans, debian_prompts
from tests.audio_files import speech_like, write_wav

needs_dpkg = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="no dpkg-deb here")


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for an `apt-get` of our own, which comes first on PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    dpkg = shutil.which("dpkg-deb")
    if dpkg:
        (folder / "dpkg-deb").symlink_to(dpkg)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def apt_get(archive: Path, script: str) -> None:
    """What `apt-get` does in this test."""
    (archive / "apt-get").write_text(f"#!/bin/sh\n{script}\n")
    (archive / "apt-get").chmod(0o755)


def build_package(folder: Path) -> Path:
    """A real package with one real prompt."""
    sounds = folder / "root" / "usr/share/asterisk/sounds/en"
    sounds.mkdir(parents=True)
    write_wav(sounds / PROMPTS[0], speech_like(0.5, 8_000), 8_000)
    control = folder / "root" / "DEBIAN"
    control.mkdir()
    (control / "control").write_text(
        f"Package: {PACKAGE}\nVersion: 1\nArchitecture: all\nMaintainer: a <a@example.org>\n"
        "Description: prompts\n"
    )
    package = folder / "prompts.deb"
    subprocess.run(
        ["dpkg-deb", "-b", str(folder / "root"), str(package)], check=True, capture_output=True
    )
    return package


@needs_dpkg
def test_fetched_once_then_cached(archive: Path, tmp_path: Path) -> None:
    package = build_package(tmp_path)
    apt_get(archive, f'[ "$1 $2" = "download {PACKAGE}" ] && cp {package} .')
    (prompt,) = debian_prompts(tmp_path / "cache" / "x")
    assert prompt.name == PROMPTS[0]
    apt_get(archive, "exit 1")
    assert debian_prompts(tmp_path / "cache" / "x") == [prompt]


@needs_dpkg
def test_without_package_lists_it_gets_its_own(archive: Path, tmp_path: Path) -> None:
    package = build_package(tmp_path)
    apt_get(archive, f'case "$*" in download*) exit 100;; *download*) cp {package} .;; esac')
    assert len(debian_prompts(tmp_path / "cache")) == 1


def test_no_network(archive: Path, tmp_path: Path) -> None:
    (archive / "dpkg-deb").unlink(missing_ok=True)
    (archive / "dpkg-deb").touch(mode=0o755)
    apt_get(archive, 'echo "E: Temporary failure resolving" >&2; exit 100')
    with pytest.raises(NoHumans, match="Temporary failure resolving"):
        debian_prompts(tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_no_apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoHumans, match="no apt-get here"):
        debian_prompts(tmp_path / "cache")
