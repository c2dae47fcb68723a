"""A full disk told plainly, and tables that take the old one's place whole or not at all."""

from __future__ import annotations

import csv
import errno
import shutil
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from streamtrace.errors import StreamTraceError

# A quota and a limit on a file's size leave a run as stuck as a full disk does.
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class DiskFull(StreamTraceError):
    """Nothing more can be written; what was written before is whole."""

    exit_code = 1


@contextmanager
def told_when_full(folder: Path, kept: str) -> Generator[None]:
    """Turn a write that found no room into a message that says what is `kept` and what to do."""
    try:
        yield
    except OSError as cause:
        if cause.errno not in FULL:
            raise
        free_mb = shutil.disk_usage(folder).free / 1e6 if folder.exists() else 0.0
        raise DiskFull(
            f"{folder}: {cause.strerror or 'no room to write'} ({free_mb:,.0f} MB free); {kept}. "
            "Make room and run the same command again: it goes on from here"
        ) from cause


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Write a CSV file beside the old one, then take its place, so a kill leaves a whole table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    try:
        with partial.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
