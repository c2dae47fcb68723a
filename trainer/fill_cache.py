"""Decodes what the audio cache lacks, clip by clip, so that a kill or a full disk loses nothing."""

from __future__ import annotations

import csv
import hashlib
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import TracebackType

from streamtrace.values import SAMPLE_RATE_HZ
from trainer.audio_cache import (
    AUDIO_FILE,
    INDEX_COLUMNS,
    INDEX_FILE,
    MANIFEST_FILE,
    Span,
    read_index,
)
from trainer.decode import decode
from trainer.disk import told_when_full, write_table
from trainer.manifest import DataError, Row, write_manifest
from trainer.progress import Progress
from trainer.skipped import SKIPPED_FILE, ClipError, Skipped, write_skipped

if sys.platform != "win32":
    import fcntl

NAMED_AT_MOST = 5


def build_cache(
    folder: Path,
    rows: Sequence[Row],
    unusable: Sequence[Skipped] = (),
    listed: Sequence[str] | None = None,
) -> tuple[list[Row], list[Skipped]]:
    """Decode what the cache lacks and write the manifest of the clips that can be used.

    A clip is kept once: the same file or the same audio a second time is skipped, as is what
    cannot be decoded; all of it is listed behind what was `unusable` before. The same audio as
    human and as synthetic is an error that names both rows. After a kill or a full disk the next
    run goes on behind the last whole clip. `listed` tells where each row was found.
    """
    places = list(listed) if listed is not None else [""] * len(rows)
    folder.mkdir(parents=True, exist_ok=True)
    _refuse_conflicts(rows, places, [row.sha256 for row in rows], "file")
    with told_when_full(folder, "every clip decoded so far is kept"):
        spans, flaws = _decode_missing(folder, rows)
        sounding = [i for i, row in enumerate(rows) if row.sha256 in spans]
        _refuse_conflicts(
            [rows[i] for i in sounding],
            [places[i] for i in sounding],
            [spans[rows[i].sha256].pcm_sha256 for i in sounding],
            "audio",
        )
        kept: list[Row] = []
        skipped = list(unusable)
        first_with: dict[str, Row] = {}
        for row, place in zip(rows, places, strict=True):
            span = spans.get(row.sha256)
            if span is None:
                flaw = flaws[row.sha256]
                skipped.append(Skipped(row.path, place, flaw.flaw, flaw.reason))
                continue
            twin = first_with.setdefault(span.pcm_sha256, row)
            if twin is not row:
                note = "" if twin.source == row.source else f", which is of {twin.source!r}"
                reason = f"same audio as {twin.path}{note}"
                skipped.append(Skipped(row.path, place, "duplicate", reason))
                continue
            seconds = round(span.length / SAMPLE_RATE_HZ, 3)
            kept.append(replace(row, seconds=seconds, rate_hz=row.rate_hz or span.rate_hz))
        write_manifest(folder / MANIFEST_FILE, kept)
        write_skipped(folder / SKIPPED_FILE, skipped)
    return kept, skipped


def _decode_missing(
    folder: Path, rows: Sequence[Row]
) -> tuple[dict[str, Span], dict[str, ClipError]]:
    """Where every file's audio lies, and what is wrong with those that have none."""
    flaws: dict[str, ClipError] = {}
    with _Store(folder) as store:
        wanted = {row.sha256: row for row in rows if row.sha256 not in store.spans}
        bar = Progress("decoding", total=len(wanted))
        for digest, row in wanted.items():
            try:
                samples, rate_hz = decode(Path(row.path))
            except ClipError as flaw:
                flaws[digest] = flaw
            else:
                store.append(digest, samples.tobytes(), rate_hz)
            bar.advance({"skipped": float(len(flaws))})
        bar.close()
        return store.spans, flaws


class _Store:
    """The audio file and its index while they grow; the index never speaks of lost samples."""

    def __init__(self, folder: Path) -> None:
        self._audio = (folder / AUDIO_FILE).open("ab")
        try:
            _lock(self._audio.fileno(), folder)
            self.spans = _whole_spans(folder)
            self._end = max((span.offset + span.length for span in self.spans.values()), default=0)
            # Drop a clip that a kill left without its line in the index.
            os.truncate(self._audio.fileno(), self._end * 2)
            self._table = (folder / INDEX_FILE).open("a", newline="", encoding="utf-8")
        except BaseException:
            self._audio.close()
            raise
        self._writer = csv.writer(self._table)
        if self._table.tell() == 0:
            self._writer.writerow(INDEX_COLUMNS)

    def append(self, digest: str, samples: bytes, rate_hz: int) -> None:
        """One clip's 16-bit samples, then its line."""
        span = Span(self._end, len(samples) // 2, rate_hz, hashlib.sha256(samples).hexdigest())
        self._audio.write(samples)
        self._audio.flush()  # the samples are on their way before the index speaks of them
        self._writer.writerow((digest, span.offset, span.length, rate_hz, span.pcm_sha256))
        self._table.flush()
        self.spans[digest] = span
        self._end += span.length

    def __enter__(self) -> _Store:
        """Ready to append."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close both; what a full disk left in a buffer fails to be written once more."""
        try:
            self._audio.close()
        finally:
            self._table.close()


def _whole_spans(folder: Path) -> dict[str, Span]:
    """The index, without a last line that was cut off and without samples that are not there."""
    path = folder / INDEX_FILE
    if not path.exists():
        return {}
    text = path.read_bytes()
    whole = text[: text.rfind(b"\n") + 1]
    if not whole:
        path.unlink()
        return {}
    if whole != text:
        os.truncate(path, len(whole))
    spans = read_index(path)
    there = (folder / AUDIO_FILE).stat().st_size // 2
    kept = {key: span for key, span in spans.items() if span.offset + span.length <= there}
    if len(kept) < len(spans):
        lost = len(spans) - len(kept)
        print(f"{folder / AUDIO_FILE}: lacks {lost} clips; decoding them again", file=sys.stderr)
        rows = ({"sha256": key, **asdict(span)} for key, span in kept.items())
        write_table(path, INDEX_COLUMNS, rows)
    return kept


def _lock(file: int, folder: Path) -> None:
    """Two runs that append to one file would mix their clips; the lock goes with its process."""
    if sys.platform == "win32":
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as cause:
        raise DataError(f"{folder}: another prepare is writing here; let it end first") from cause


def _refuse_conflicts(
    rows: Sequence[Row], places: Sequence[str], keys: Sequence[str], what: str
) -> None:
    """Refuse rows of different labels that share a key; the message names both."""
    first: dict[str, int] = {}
    conflicts: list[str] = []
    for i, (row, key) in enumerate(zip(rows, keys, strict=True)):
        other = first.setdefault(key, i)
        if rows[other].label != row.label:
            named = [
                f"{places[k] or rows[k].origin}: {rows[k].path} is {rows[k].label}"
                for k in (other, i)
            ]
            conflicts.append(" but ".join(named))
    if conflicts:
        more = len(conflicts) - NAMED_AT_MOST
        rest = [f"and {more} more"] if more > 0 else []
        raise DataError(
            f"the same {what} under both labels; correct a row or remove both:\n  "
            + "\n  ".join([*conflicts[:NAMED_AT_MOST], *rest])
        )
