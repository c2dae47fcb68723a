"""Examines prepared data before anyone believes a figure that was made with it."""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

from streamtrace.errors import SettingsError
from trainer.audio_cache import Clips
from trainer.balance import Balance, balance_of
from trainer.findings import (
    Finding,
    findings_in_rows,
    findings_in_shortcuts,
    findings_in_split,
    in_order,
)
from trainer.fingerprint import Alike, find_alike
from trainer.leaks import Leaks, leaks_of, owners_in_several
from trainer.shortcuts import Shortcut, shortcuts_of
from trainer.skipped import SKIPPED_FILE, Skipped, read_skipped
from trainer.splits import Split, own_splits, read_folds, splits_of

LINES = ("clean", "g711")


@dataclass(frozen=True, slots=True, eq=False)
class Diagnosis:
    """All that the doctor found."""

    folder: Path
    balance: Balance
    leaks: tuple[Leaks, ...]
    shortcuts: tuple[Shortcut, ...]
    alike: tuple[Alike, ...]
    owners: dict[str, tuple[str, ...]]  # with pages in several folds
    skipped: tuple[Skipped, ...]
    findings: tuple[Finding, ...]

    @property
    def exit_code(self) -> int:
        """1 if something is wrong that must not be."""
        return int(any(finding.severity == "error" for finding in self.findings))

    def as_dict(self) -> dict[str, object]:
        """Everything, for JSON; an alike pair is [first row, second row, bits, correlation].

        A figure that does not exist is null.
        """
        found = {
            "folder": str(self.folder),
            "exit_code": self.exit_code,
            "findings": [asdict(finding) for finding in self.findings],
            "balance": asdict(self.balance),
            "leaks": [asdict(leaks) for leaks in self.leaks],
            "shortcuts": [asdict(shortcut) for shortcut in self.shortcuts],
            "alike": [
                [a.first, a.second, round(a.bits_wrong, 3), round(a.correlation, 3)]
                for a in self.alike
            ],
            "owners": self.owners,
            "skipped": [asdict(item) for item in self.skipped],
        }
        return {name: _plain(value) for name, value in found.items()}


def examine_folder(
    folder: Path,
    *,
    folds: int = 3,
    seed: int = 0,
    given: Path | None = None,
    lines: Sequence[str] = LINES,
) -> Diagnosis:
    """What `prepare` left in `folder`, in our own splits or in those of the table `given`."""
    from trainer.lines import LINES as KNOWN

    if folds < 2:
        raise SettingsError(f"folds={folds}: want two or more")
    unknown = [line for line in lines if line not in KNOWN]
    if unknown:
        raise SettingsError(f"line={unknown[0]!r}: no such line; known: {', '.join(KNOWN)}")
    clips = Clips.load(folder)
    if given is None:
        splits, name = own_splits(clips.rows, folds, seed), "the manifest"
    else:
        splits, name = splits_of(clips.rows, read_folds(given, clips.rows)), str(given)
    return examine(clips, splits, lines=lines, skipped=read_skipped(folder / SKIPPED_FILE), of=name)


def examine(
    clips: Clips,
    splits: Sequence[Split],
    *,
    lines: Sequence[str] = LINES,
    skipped: Sequence[Skipped] = (),
    of: str = "the manifest",
) -> Diagnosis:
    """Count, compare and train on nuisance; nothing is written."""
    rows = clips.rows
    found = [i for i, row in enumerate(rows) if not row.is_pair]
    balance = balance_of(rows)
    alike = find_alike(clips, found)
    leaks = [leaks_of(rows, split, alike) for split in splits]
    shortcuts = shortcuts_of(clips, splits, lines)
    findings = [*findings_in_rows(rows, balance, _twins(clips), alike)]
    for split, crossing in zip(splits, leaks, strict=True):
        findings += findings_in_split(rows, split, crossing, of)
    findings += findings_in_shortcuts(shortcuts, splits)
    return Diagnosis(
        folder=clips.folder,
        balance=balance,
        leaks=tuple(leaks),
        shortcuts=tuple(shortcuts),
        alike=tuple(alike),
        owners=owners_in_several(rows, splits),
        skipped=tuple(skipped),
        findings=in_order(findings),
    )


def _plain(value: object) -> object:
    """JSON knows neither NaN nor tuples."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in cast("dict[object, object]", value).items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in cast("Sequence[object]", value)]
    return value


def _twins(clips: Clips) -> list[tuple[int, int]]:
    """Rows with the same samples, however short; `prepare` leaves none, other hands may."""
    owners: dict[bytes, list[int]] = defaultdict(list)
    for i, (offset, length) in enumerate(zip(clips.offsets, clips.lengths, strict=True)):
        samples = clips.audio[int(offset) : int(offset + length)]
        owners[hashlib.sha256(samples.tobytes()).digest()].append(i)
    return [(members[0], i) for members in owners.values() for i in members[1:]]
