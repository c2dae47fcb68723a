"""Debian packages fetched and unpacked into a folder of ours, without root."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

_DONE = ".unpacked"
_FETCH_SECONDS = 300


def unpacked(package: str, cache: Path) -> Path | None:
    """The folder with the package's files, or None (said on stderr) where it cannot be had."""
    folder = cache / package
    if (folder / _DONE).exists():
        return folder
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        print(f"{package}: left out, this machine has no apt-get or dpkg-deb", file=sys.stderr)
        return None
    incoming = cache / "incoming" / package  # a folder of its own: the file's name is apt's choice
    try:
        shutil.rmtree(incoming, ignore_errors=True)
        incoming.mkdir(parents=True)
        # Root's apt would want a user of its own to write here; that user cannot.
        _run(["apt-get", "-o", "APT::Sandbox::User=root", "download", package], incoming)
        archives = list(incoming.glob("*.deb"))
        if len(archives) != 1:
            raise OSError(f"apt-get left {len(archives)} archives")
        shutil.rmtree(folder, ignore_errors=True)
        _run(["dpkg-deb", "-x", str(archives[0].resolve()), str(folder.resolve())], cache)
    except (OSError, subprocess.SubprocessError) as cause:
        print(f"{package}: left out, cannot be fetched: {cause}", file=sys.stderr)
        return None
    shutil.rmtree(incoming, ignore_errors=True)
    (folder / _DONE).touch()
    return folder


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=_FETCH_SECONDS, check=False
    )
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise OSError(f"{command[0]}: {' '.join(last) or done.returncode}")
