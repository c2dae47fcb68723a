"""What a published corpus lists: clips with all that is told of them, and counts that must hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from trainer.manifest import UNKNOWN_FAMILY, DataError, Label
from trainer.skipped import Skipped

Split: TypeAlias = Literal["", "train", "dev", "eval"]
ANY_COUNTS = "any-counts"  # every corpus has it


@dataclass(frozen=True, slots=True)
class Entry:
    """One clip as its corpus tells of it; whether the file is there is asked later."""

    path: Path
    listed: str  # "protocol.txt, row 7"; "" where no table lists it
    label: Label
    source: str  # the system, the same name in every corpus that has it; "" for human or unnamed
    page: str
    family: str = UNKNOWN_FAMILY
    split: Split = ""
    detail: str = ""  # codec, condition or the like, kept in the row's origin
    speaker: str = ""
    language: str = ""
    parallel_id: str = ""
    transcript: str = ""
    lossy: bool | None = None  # None: as the file's name says


@dataclass(slots=True)
class Listing:
    """All clips of a corpus, those that were left out by its options, and what is worth saying."""

    entries: list[Entry] = field(default_factory=list[Entry])
    left_out: list[Skipped] = field(default_factory=list[Skipped])
    said: list[str] = field(default_factory=list[str])

    def leave_out(self, entry: Entry, flaw: str, reason: str) -> None:
        """Named in `skipped.csv` like a clip that cannot be used."""
        self.left_out.append(Skipped(str(entry.path), entry.listed, flaw, reason))


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked of one corpus by `--with KIND.OPTION[=VALUE]`."""

    kind: str
    values: Mapping[str, str] = field(default_factory=dict[str, str])

    def has(self, name: str) -> bool:
        """Whether an option without a value was given."""
        return name in self.values

    def path(self, name: str) -> Path | None:
        """A folder or a file that was given."""
        value = self.values.get(name)
        return Path(value) if value else None

    def expect(self, place: Path, what: str, *, want: object, found: object) -> None:
        """Refuse another count than the published one, unless any count was asked for."""
        if want != found and not self.has(ANY_COUNTS):
            raise DataError(
                f"{place}: {what}: want {want}, found {found}; a part is missing or this is "
                f"another release (--with {self.kind}.{ANY_COUNTS} takes it as it is)"
            )


def folder_of(root: Path, candidates: Sequence[str], what: str) -> Path:
    """The first of several usual places under `root` that is there."""
    for name in candidates:
        if (root / name).exists():
            return root / name
    raise DataError(f"{root}: has no {what}: looked for {', '.join(candidates)}")
