"""Where our own processes reach each other: Unix sockets in one private folder."""

from __future__ import annotations

from pathlib import Path

from streamtrace.errors import SettingsError

MOST_PATH_BYTES = 100  # a Unix socket's address holds little more


def engine_socket(folder: Path) -> Path:
    """The engine's process, which answers everything but ingest."""
    return folder / "engine.sock"


def worker_socket(folder: Path, worker: int) -> Path:
    """An ingest process, for what only it can answer."""
    return folder / f"worker-{worker}.sock"


def check_folder(folder: Path) -> None:
    """Raise `SettingsError` where the folder's name is too long for sockets in it."""
    if len(str(worker_socket(folder, 99)).encode()) > MOST_PATH_BYTES:
        raise SettingsError(
            f"TMPDIR={folder.parent}: too long a name for Unix sockets; set it to a shorter one"
        )
