"""What can be turned into rows: the corpus's own table, any CSV table, folders by their layout."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from trainer.decode import file_sha256
from trainer.manifest import (
    BONAFIDE_SOURCE,
    HUMAN_FAMILY,
    LABELS,
    SPLITS,
    UNKNOWN_FAMILY,
    UNKNOWN_SOURCE,
    DataError,
    Row,
    as_label,
    read_table,
)
from trainer.progress import Progress
from trainer.skipped import ClipError, Skipped

CORPUS_COLUMNS = (
    "path",
    "split",
    "label",
    "family",
    "system",
    "language",
    "speaker",
    "parallel_id",
    "page",
    "licence",
    "original_rate",
)
NEEDED_COLUMNS = ("path", "label")
KNOWN_COLUMNS = (*CORPUS_COLUMNS, "source", "transcript", "lossy_source", "seconds")
AUDIO_SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a")
LOSSY_SUFFIXES = (".mp3", ".ogg", ".opus", ".m4a", ".aac")


@dataclass
class Gathered:
    """Rows with the places that list them, and what cannot be used."""

    rows: list[Row] = field(default_factory=list[Row])
    listed: list[str] = field(default_factory=list[str])
    unusable: list[Skipped] = field(default_factory=list[Skipped])

    def add(self, rows: Iterable[Row]) -> None:
        """Rows that no table lists."""
        for row in rows:
            self.rows.append(row)
            self.listed.append("")


def add_corpus(gathered: Gathered, corpus: Path) -> None:
    """A folder whose `manifest.csv` has all of `CORPUS_COLUMNS`, page and system always told."""
    manifest = corpus / "manifest.csv"
    table = read_table(manifest, CORPUS_COLUMNS)
    for number, cells in table:
        if not cells["page"] or not cells["system"]:
            raise DataError(f"{manifest}, row {number}: page and system may not be empty")
    _add_table(gathered, manifest, table, "corpus")


def add_csv(gathered: Gathered, table: Path) -> None:
    """Any CSV table with the columns path and label; paths are relative to its folder.

    A table that tells no page, or a row that does not, says nothing of its recording chain. All
    such clips of a table then count as one page, named after it: they can be trained on, but never
    end up on both sides of a split by page.
    """
    rows = read_table(table, NEEDED_COLUMNS)
    columns = set(rows[0][1]) if rows else set[str]()
    if {"source", "system"} <= columns:
        raise DataError(f"{table}, row 1: has both source and system; want one of them")
    ignored = sorted(columns - set(KNOWN_COLUMNS))
    if ignored:
        print(f"{table}: columns not used: {', '.join(ignored)}", file=sys.stderr)
    pageless = sum(not cells.get("page", "").strip() for _, cells in rows)
    if pageless:
        print(
            f"{table}: {pageless} of {len(rows)} rows name no page; they count as one, "
            f"{_page_of(table)!r}",
            file=sys.stderr,
        )
    for _, cells in rows:
        # "1" in one table and "1" in another are not the same utterance.
        if cells.get("parallel_id", "").strip():
            cells["parallel_id"] = f"{table.stem}/{cells['parallel_id'].strip()}"
    _add_table(gathered, table, rows, f"csv:{table.stem}")


def add_folder(gathered: Gathered, folder: Path) -> None:
    """Clips laid out as `bonafide/PAGE/…` and `synthetic/SOURCE/…` under `folder`."""
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in AUDIO_SUFFIXES)
    for path in paths:
        parts = path.relative_to(folder).parts
        label = as_label(parts[0])
        if label is None or len(parts) < 3:
            raise DataError(
                f"{path}: want {folder}/bonafide/PAGE/FILE or {folder}/synthetic/SOURCE/FILE"
            )
        human = label == "bonafide"
        cells = {
            "label": label,
            "source": BONAFIDE_SOURCE if human else parts[1],
            "page": f"{folder.name}/{parts[1]}",
        }
        add_clip(gathered, path, cells, f"folder:{folder.name}", "", "")
    if not paths:
        raise DataError(f"{folder}: holds no audio under bonafide/ or synthetic/")


def _add_table(
    gathered: Gathered, table: Path, rows: Sequence[tuple[int, dict[str, str]]], origin: str
) -> None:
    # Every row is checked before the first file is opened: a wrong cell is told at once.
    checked = [(number, _checked(cells, f"{table}, row {number}")) for number, cells in rows]
    bar = Progress(f"reading {table}", total=len(checked))
    for number, cells in checked:
        split = cells.get("split", "")
        add_clip(
            gathered,
            table.parent / cells["path"],
            cells,
            f"{origin}:{split}" if split else origin,
            f"{table}, row {number}",
            _page_of(table),
        )
        bar.advance({"missing": float(len(gathered.unusable))})
    bar.close()


def add_clip(
    gathered: Gathered,
    path: Path,
    cells: Mapping[str, str],
    origin: str,
    listed: str,
    page: str,
) -> None:
    """One file as a row, or among what cannot be used; `cells` are checked and by column."""
    try:
        digest = file_sha256(path)
    except ClipError as flaw:
        gathered.unusable.append(Skipped(str(path), listed, flaw.flaw, flaw.reason))
        return
    human = cells["label"] == "bonafide"
    source = cells.get("source") or cells.get("system")
    lossy = cells.get("lossy_source", "")
    gathered.rows.append(
        Row(
            path=str(path),
            sha256=digest,
            label="bonafide" if human else "synthetic",
            family=HUMAN_FAMILY if human else cells.get("family") or UNKNOWN_FAMILY,
            source=BONAFIDE_SOURCE if human else source or UNKNOWN_SOURCE,
            page=cells.get("page") or page,
            speaker=cells.get("speaker", ""),
            language=cells.get("language", ""),
            parallel_id=cells.get("parallel_id", ""),
            licence=cells.get("licence", ""),
            seconds=0.0,
            rate_hz=int(cells.get("original_rate") or 0),
            origin=origin,
            transcript=cells.get("transcript", ""),
            lossy=lossy == "1" if lossy else path.suffix.lower() in LOSSY_SUFFIXES,
            split=split if (split := cells.get("split", "")) in SPLITS else "",
        )
    )
    gathered.listed.append(listed)


def _checked(cells: Mapping[str, str], place: str) -> dict[str, str]:
    """The stripped cells of a row that keeps the rules."""
    found = {name: text.strip() for name, text in cells.items()}

    def wrong(column: str, rule: str) -> DataError:
        return DataError(f"{place}: {column}={cells[column]!r}: want {rule}")

    if not found["path"]:
        raise wrong("path", "a file, relative to the table's folder")
    label = as_label(found["label"])
    if label is None:
        raise wrong("label", " or ".join(LABELS))
    human = label == "bonafide"
    for column, reserved in (
        ("source", BONAFIDE_SOURCE),
        ("system", BONAFIDE_SOURCE),
        ("family", HUMAN_FAMILY),
    ):
        text = found.get(column, "")
        if text and (text == reserved) != human:
            raise wrong(column, f"{reserved!r} for bona fide clips and for no other")
    if found.get("original_rate") and not found["original_rate"].isdecimal():
        raise wrong("original_rate", "a whole number of hertz")
    if found.get("lossy_source", "") not in ("", "0", "1"):
        raise wrong("lossy_source", "0 or 1")
    return found


def _page_of(table: Path) -> str:
    return f"csv:{table.stem}"
