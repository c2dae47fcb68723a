"""The one table every experiment starts from: a row per clip, typed and checked on the way in."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal, TypeAlias, TypeVar

from streamtrace.errors import StreamTraceError
from trainer.disk import write_table

Label: TypeAlias = Literal["bonafide", "synthetic"]
LABELS: tuple[Label, ...] = ("bonafide", "synthetic")
BONAFIDE_SOURCE = "bonafide"
HUMAN_FAMILY = "human"
UNKNOWN_FAMILY = "unknown"
UNKNOWN_SOURCE = "wild-fake-unknown"  # real fakes of systems that nobody named: no class of its own
PROMPTS_ORIGIN = "prompts"
PAIRS_ORIGIN = "pairs:"  # clips that `prepare` itself made out of human ones
DSP_FAMILY = "dsp-vocoder"  # WORLD and the like over human speech
SELF_PREFIX = "self-"  # sources this project trained itself
DSP_SOURCES = frozenset(
    {"world", "griffin-lim", "griffin-lim-mel", "lpc-vocoder", "mlsa", "harmonic-noise"}
)
CLASSICAL_FAMILIES = ("classical-formant", "classical-diphone", "classical-statistical")


class DataError(StreamTraceError):
    """Training data is missing or malformed; the text names file and row."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Row:
    """One clip and everything a split or a balance must know of it."""

    path: str
    sha256: str  # of the file as found
    label: Label
    family: str  # kind of generator; "human" for bona fide
    source: str  # the system to trace; "bonafide" for human
    page: str  # the recording chain: split, balance and bootstrap by it
    speaker: str
    language: str
    parallel_id: str  # clips that share it say the same words on the same page; "" for none
    licence: str
    seconds: float
    rate_hz: int  # before resampling to 16 kHz
    origin: str  # where the row came from, e.g. "corpus:train"
    # A manifest may lack the columns from here on.
    original_sha256: str = ""  # of the clip that a "pairs:" row was made from
    transcript: str = ""  # the words, where a corpus tells them
    lossy: bool = False  # was published as MP3, Vorbis or the like
    split: str = ""  # "train", "dev" or "eval" where its corpus says so; used if a run asks for it

    @property
    def is_synthetic(self) -> bool:
        return self.label == "synthetic"

    @property
    def is_wild(self) -> bool:
        """Neither a classical engine, nor a telephone prompt, nor of this project's making."""
        return not (
            self.is_pair
            or self.family in CLASSICAL_FAMILIES
            or self.origin.startswith(PROMPTS_ORIGIN)
        )

    @property
    def is_pair(self) -> bool:
        """Of our own making: to train on, never to judge by; its page is its original's."""
        return self.origin.startswith(PAIRS_ORIGIN)


def is_self_made(source: str) -> bool:
    """Whether a source is a generator of this project's own; naming one is never a right answer."""
    return source.startswith(SELF_PREFIX) or source in DSP_SOURCES


COLUMNS = tuple(field.name for field in fields(Row))
LATER_COLUMNS = ("original_sha256", "transcript", "lossy", "split")
SPLITS = ("train", "dev", "eval")
N = TypeVar("N", int, float)
_WORDS = ("path", "family", "source", "page", "origin")  # columns that may not be empty


def write_manifest(path: Path, rows: Iterable[Row]) -> None:
    """Write all rows beside the old file, then take its place, so a kill leaves a whole table."""
    write_table(path, COLUMNS, ({**asdict(row), "lossy": int(row.lossy)} for row in rows))


def read_manifest(path: Path) -> list[Row]:
    """Read and check every row; the error names the file, the row and the rule."""
    table = read_table(path, COLUMNS, exact=True, optional=LATER_COLUMNS)
    return [_row(path, number, cells) for number, cells in table]


def read_table(
    path: Path, columns: Sequence[str], *, exact: bool = False, optional: Sequence[str] = ()
) -> list[tuple[int, dict[str, str]]]:
    """Rows of a CSV file that has (at least) these columns, with their line numbers.

    What is `optional` may lack; its cells are then empty.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            found = list(reader.fieldnames or ())
            missing = [name for name in columns if name not in found and name not in optional]
            extra = [name for name in found if name not in columns] if exact else []
            if missing or extra:
                raise DataError(
                    f"{path}, row 1: wrong columns: missing {missing}, unexpected {extra}; "
                    f"want {','.join(columns)}"
                )
            table: list[tuple[int, dict[str, str]]] = []
            for cells in reader:
                # DictReader marks a short row with None values and a long one with a None key.
                if None in cells or None in cells.values():
                    raise DataError(
                        f"{path}, row {reader.line_num}: want {len(found)} cells, "
                        "found more or fewer"
                    )
                table.append((reader.line_num, {**dict.fromkeys(optional, ""), **cells}))
            return table
    except (OSError, UnicodeDecodeError, csv.Error) as cause:
        raise DataError(f"{path}: cannot be read as a CSV table: {cause}") from cause


def as_label(text: str) -> Label | None:
    """The label of that name, if there is one."""
    for known in LABELS:
        if known == text:
            return known
    return None


def _row(path: Path, number: int, cells: dict[str, str]) -> Row:
    def wrong(column: str, rule: str) -> DataError:
        return DataError(f"{path}, row {number}: {column}={cells[column]!r}: want {rule}")

    for column in _WORDS:
        if not cells[column].strip():
            raise wrong(column, "a value")
    label = as_label(cells["label"])
    if label is None:
        raise wrong("label", " or ".join(LABELS))
    if (label == "bonafide") != (cells["source"] == BONAFIDE_SOURCE):
        raise wrong("source", f"{BONAFIDE_SOURCE!r} for bona fide clips and for no other")
    digest = cells["sha256"]
    if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
        raise wrong("sha256", "64 lower-case hexadecimal digits")
    seconds = _number(cells["seconds"], float)
    if seconds is None or not 0 < seconds < float("inf"):
        raise wrong("seconds", "a positive number")
    rate_hz = _number(cells["rate_hz"], int)
    if rate_hz is None or rate_hz <= 0:
        raise wrong("rate_hz", "a positive whole number")
    original = cells["original_sha256"]
    if cells["origin"].startswith(PAIRS_ORIGIN) != bool(original):
        raise wrong("original_sha256", f"one for rows of origin {PAIRS_ORIGIN!r} and for no other")
    if cells["lossy"] not in ("", "0", "1"):
        raise wrong("lossy", "0 or 1")
    if cells["split"] not in ("", *SPLITS):
        raise wrong("split", f"nothing or one of {', '.join(SPLITS)}")
    return Row(
        path=cells["path"],
        sha256=digest,
        label=label,
        family=cells["family"],
        source=cells["source"],
        page=cells["page"],
        speaker=cells["speaker"],
        language=cells["language"],
        parallel_id=cells["parallel_id"],
        licence=cells["licence"],
        seconds=seconds,
        rate_hz=rate_hz,
        origin=cells["origin"],
        original_sha256=original,
        transcript=cells["transcript"],
        lossy=cells["lossy"] == "1",
        split=cells["split"],
    )


def _number(text: str, kind: Callable[[str], N]) -> N | None:
    try:
        return kind(text)
    except ValueError:
        return None
