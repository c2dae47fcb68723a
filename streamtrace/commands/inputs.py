"""Which files `trace` was asked for: paths, folders and manifests, each named as it is printed."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from streamtrace.errors import AudioError
from streamtrace.sources.file import AUDIO_SUFFIXES

COLUMN = "path"


@dataclass(frozen=True, slots=True)
class Input:
    """One file to trace; with a `problem` it is already known that it cannot be."""

    name: str  # as typed, or as the manifest has it
    path: Path
    problem: str | None = None


def from_paths(paths: Sequence[str]) -> Iterator[Input]:
    """Files as typed; a folder stands for the audio files under it, in order of their names."""
    for typed in paths:
        if not os.path.isdir(typed):
            yield Input(typed, Path(typed))
            continue
        found = False
        for folder, folders, files in os.walk(typed):
            folders.sort()
            for file in sorted(files):
                if Path(file).suffix.lower() in AUDIO_SUFFIXES:
                    found = True
                    name = os.path.join(folder, file)
                    yield Input(name, Path(name))
        if not found:
            yield Input(typed, Path(typed), "folder holds no audio files")


def from_manifest(manifest: Path) -> list[Input]:
    """One input per row, in row order; AudioError where the manifest itself cannot be used."""
    try:
        with manifest.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            columns = list(rows.fieldnames or [])
            if COLUMN not in columns:
                there = ", ".join(columns) or "none"
                raise AudioError(f"{manifest}: no column `{COLUMN}` (columns: {there})")
            return [_row(manifest, rows.line_num, row[COLUMN]) for row in rows]
    except OSError as cause:
        raise AudioError(f"{manifest}: {cause.strerror}") from None
    except UnicodeDecodeError:
        raise AudioError(f"{manifest}: not UTF-8 text; save it as CSV in UTF-8") from None
    except csv.Error as cause:
        raise AudioError(f"{manifest}: not CSV: {cause}") from None


def _row(manifest: Path, line: int, value: str | None) -> Input:
    if not value:
        return Input(f"{manifest} line {line}", manifest, f"column `{COLUMN}` is empty")
    return Input(value, manifest.parent / value)
