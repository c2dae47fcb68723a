"""The clips that are left out: which, where they were listed, and why."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal, TypeAlias

from trainer.disk import write_table
from trainer.manifest import DataError, read_table

Flaw: TypeAlias = Literal[
    "missing", "unreadable", "empty", "short", "not-a-number", "silent", "duplicate", "unmatched"
]
SKIPPED_FILE = "skipped.csv"
SAID_AT_MOST = 10


class ClipError(DataError):
    """One clip cannot be used; the others can."""

    def __init__(self, path: Path, flaw: Flaw, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.flaw: Flaw = flaw
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Skipped:
    """A clip that is left out, and why."""

    path: str
    listed: str  # "corpus/manifest.csv, row 7", or "" for a file that no table lists
    flaw: str
    reason: str


COLUMNS = tuple(field.name for field in fields(Skipped))


def write_skipped(path: Path, skipped: Sequence[Skipped]) -> None:
    """One line for every clip left out."""
    write_table(path, COLUMNS, (asdict(item) for item in skipped))


def read_skipped(path: Path) -> list[Skipped]:
    """The inverse; nothing if there is no such file. Older lists lack place and flaw."""
    if not path.exists():
        return []
    table = read_table(path, COLUMNS, exact=True, optional=("listed", "flaw"))
    return [Skipped(**{**cells, "flaw": cells["flaw"] or "unusable"}) for _, cells in table]


def summary(skipped: Sequence[Skipped]) -> str:
    """How many, and how many of each kind."""
    flaws = Counter(item.flaw for item in skipped)
    kinds = ", ".join(f"{count} {flaw}" for flaw, count in flaws.most_common())
    return f"{len(skipped)} skipped" + (f": {kinds}" if kinds else "")


def say_skipped(skipped: Sequence[Skipped], listed_in: Path) -> None:
    """Name the first few on stderr, and where all of them are listed."""
    for item in skipped[:SAID_AT_MOST]:
        place = f" ({item.listed})" if item.listed else ""
        print(f"skipped {item.path}{place}: {item.reason}", file=sys.stderr)
    if len(skipped) > SAID_AT_MOST:
        print(f"… and {len(skipped) - SAID_AT_MOST} more", file=sys.stderr)
    if skipped:
        print(f"{summary(skipped)}; all of them in {listed_in}", file=sys.stderr)
