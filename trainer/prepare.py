"""From corpora, folders, engines and prompts to one manifest and one audio cache."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trainer.audio_cache import Skipped, build_cache, file_sha256
from trainer.manifest import (
    BONAFIDE_SOURCE,
    HUMAN_FAMILY,
    LABELS,
    UNKNOWN_FAMILY,
    DataError,
    Row,
    as_label,
    read_table,
)

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
AUDIO_SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a")


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a run of `prepare` left behind."""

    rows: tuple[Row, ...]
    skipped: tuple[Skipped, ...]

    def table(self) -> str:
        """Clips and hours by label, family and source, for the terminal."""
        clips = Counter((row.label, row.family, row.source) for row in self.rows)
        seconds: Counter[tuple[str, str, str]] = Counter()
        pages: dict[tuple[str, str, str], set[str]] = {}
        for row in self.rows:
            key = (row.label, row.family, row.source)
            seconds[key] += row.seconds  # type: ignore[assignment]  # counters add floats too
            pages.setdefault(key, set()).add(row.page)
        lines = [f"{'label':<10}{'family':<24}{'source':<34}{'clips':>6}{'min':>8}{'pages':>6}"]
        lines += [
            f"{key[0]:<10}{key[1]:<24}{key[2]:<34}{clips[key]:>6}"
            f"{seconds[key] / 60:>8.1f}{len(pages[key]):>6}"
            for key in sorted(clips)
        ]
        hours = sum(row.seconds for row in self.rows) / 3600
        lines.append(f"{len(self.rows)} clips, {hours:.2f} h, {len(self.skipped)} skipped")
        return "\n".join(lines)


def prepare(
    out: Path,
    *,
    corpus: Path | None = None,
    folders: Sequence[Path] = (),
    classical: bool = False,
    prompts: bool = False,
) -> Prepared:
    """Gather every row, decode what is new and leave manifest, audio and index in `out`."""
    rows: list[Row] = []
    unusable: list[Skipped] = []
    if corpus is not None:
        found, missing = corpus_rows(corpus)
        rows += found
        unusable += missing
    for folder in folders:
        rows += folder_rows(folder)
    if classical:
        from trainer.engines import render_engines

        rows += render_engines(out / "rendered")
    if prompts:
        from trainer.prompts import prompt_rows, unpack_music

        rows += prompt_rows(out / "packages")
        unpack_music(out / "packages", out)
    if not rows:
        raise DataError(f"{out}: nothing to prepare: name a corpus, a folder, engines or prompts")
    kept, skipped = build_cache(out, rows, unusable)
    if not kept:
        raise DataError(f"{out}: none of {len(rows)} clips can be used: {skipped[0].reason}")
    for item in skipped:
        print(f"skipped {item.path}: {item.reason}", file=sys.stderr)
    return Prepared(tuple(kept), tuple(skipped))


def corpus_rows(corpus: Path) -> tuple[list[Row], list[Skipped]]:
    """The rows of a corpus folder with a `manifest.csv` of its own, and what is not there."""
    manifest = corpus / "manifest.csv"
    rows: list[Row] = []
    missing: list[Skipped] = []
    for number, cells in read_table(manifest, CORPUS_COLUMNS):
        label = as_label(cells["label"])
        if label is None:
            raise DataError(
                f"{manifest}, row {number}: label={cells['label']!r}: want {' or '.join(LABELS)}"
            )
        if not cells["page"] or not cells["system"]:
            raise DataError(f"{manifest}, row {number}: page and system may not be empty")
        if not cells["original_rate"].isdigit():
            raise DataError(
                f"{manifest}, row {number}: original_rate={cells['original_rate']!r}: "
                "want a whole number"
            )
        path = corpus / cells["path"]
        if not path.is_file():
            missing.append(Skipped(str(path), f"{manifest}, row {number}: no such file"))
            continue
        rows.append(
            Row(
                path=str(path),
                sha256=file_sha256(path),
                label=label,
                family=cells["family"],
                source=cells["system"],
                page=cells["page"],
                speaker=cells["speaker"],
                language=cells["language"],
                parallel_id=cells["parallel_id"],
                licence=cells["licence"],
                seconds=0.0,
                rate_hz=int(cells["original_rate"]),
                origin=f"corpus:{cells['split']}",
            )
        )
    return rows, missing


def folder_rows(folder: Path) -> list[Row]:
    """Clips laid out as `bonafide/PAGE/…` and `synthetic/SOURCE/…` under `folder`."""
    rows: list[Row] = []
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() not in AUDIO_SUFFIXES:
            continue
        parts = path.relative_to(folder).parts
        label = as_label(parts[0])
        if label is None or len(parts) < 3:
            raise DataError(
                f"{path}: want {folder}/bonafide/PAGE/FILE or {folder}/synthetic/SOURCE/FILE"
            )
        human = label == "bonafide"
        rows.append(
            Row(
                path=str(path),
                sha256=file_sha256(path),
                label=label,
                family=HUMAN_FAMILY if human else UNKNOWN_FAMILY,
                source=BONAFIDE_SOURCE if human else parts[1],
                page=f"{folder.name}/{parts[1]}",
                speaker="",
                language="",
                parallel_id="",
                licence="",
                seconds=0.0,
                rate_hz=0,
                origin=f"folder:{folder.name}",
            )
        )
    if not rows:
        raise DataError(f"{folder}: holds no audio under bonafide/ or synthetic/")
    return rows
