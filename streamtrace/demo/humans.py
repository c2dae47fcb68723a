"""Human voices for the demo: telephone prompts out of a Debian package, fetched without root."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

PACKAGE = "asterisk-core-sounds-en-wav"
# Long prompts of one studio speaker; the model was not trained on this voice.
PROMPTS = ("demo-congrats.wav", "basic-pbx-ivr-main.wav", "demo-instruct.wav")
_TIMEOUT_S = 60.0


class NoHumans(Exception):
    """Where no human voice is to be had; the text says why."""


def cache_folder() -> Path:
    """Where the prompts stay between runs."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "streamtrace" / PACKAGE


def debian_prompts(cache: Path | None = None) -> list[Path]:
    """The prompts, from the cache or else from the package archive; NoHumans where neither is."""
    cache = cache or cache_folder()
    if not (found := _prompts_in(cache)):
        _fetch(cache)
        found = _prompts_in(cache)
    if not found:
        raise NoHumans(f"{PACKAGE} holds none of {', '.join(PROMPTS)}")
    return found


def _prompts_in(folder: Path) -> list[Path]:
    places = [next(folder.rglob(name), None) for name in PROMPTS] if folder.is_dir() else []
    return [place for place in places if place is not None]


def _fetch(cache: Path) -> None:
    """Download and unpack next to the cache, then move: a killed run leaves no half cache."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise NoHumans("no apt-get here to fetch Debian's telephone prompts with")
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache.parent) as folder:
            work = Path(folder)
            package = _download(work)
            unpacked = work / "unpacked"
            _run(["dpkg-deb", "-x", str(package), str(unpacked)], work)
            shutil.rmtree(cache, ignore_errors=True)
            unpacked.rename(cache)
    except OSError as cause:
        raise NoHumans(f"{cache}: {cause.strerror}") from None


def _download(work: Path) -> Path:
    """The package file; where the machine has no package lists, with lists of our own."""
    try:
        _run(["apt-get", "download", PACKAGE], work)
    except NoHumans:
        lists, archives = work / "lists", work / "archives"
        (lists / "partial").mkdir(parents=True)
        (archives / "partial").mkdir(parents=True)
        own = ["apt-get", "-o", f"Dir::State::lists={lists}", "-o", f"Dir::Cache={archives}"]
        _run([*own, "update"], work)
        _run([*own, "download", PACKAGE], work)
    package = next(work.glob("*.deb"), None)
    if package is None:
        raise NoHumans(f"apt-get download {PACKAGE} brought nothing")
    return package


def _run(command: list[str], folder: Path) -> None:
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            env=os.environ | {"LC_ALL": "C"},
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NoHumans(f"`{' '.join(command[:2])}` took over {_TIMEOUT_S:.0f} s") from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise NoHumans(f"`{' '.join([command[0], *command[-2:]])}` failed: {last}")
