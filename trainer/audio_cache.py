"""Every clip decoded once to 16 kHz mono, side by side in one file that is mapped, not read."""

from __future__ import annotations

import csv
import hashlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import av
import av.error
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from streamtrace.values import SAMPLE_RATE_HZ, Float32s
from trainer.manifest import DataError, Row, read_manifest, read_table, write_manifest
from trainer.rates import resample

Int16s: TypeAlias = npt.NDArray[np.int16]

AUDIO_FILE = "audio.i16"
INDEX_FILE = "index.csv"
MANIFEST_FILE = "manifest.csv"
SKIPPED_FILE = "skipped.csv"
INDEX_COLUMNS = ("sha256", "offset", "length", "rate_hz", "pcm_sha256")
LONGEST_SECONDS = 30.0  # one clip of hours must not fill the disk
SHORTEST_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Span:
    """Where one file's samples lie in the audio file."""

    offset: int
    length: int
    rate_hz: int
    pcm_sha256: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """A clip that is left out, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Clips:
    """The rows of a manifest with their audio; row i of `rows` is clip i."""

    rows: tuple[Row, ...]
    offsets: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]
    audio: Int16s  # [samples of all clips], mapped from disk
    folder: Path

    @staticmethod
    def load(folder: Path) -> Clips:
        """Map what `prepare` left in `folder`."""
        rows = read_manifest(folder / MANIFEST_FILE)
        spans = _read_index(folder / INDEX_FILE)
        lost = [row.path for row in rows if row.sha256 not in spans]
        if lost:
            raise DataError(
                f"{folder}: {len(lost)} rows have no audio, the first is {lost[0]}; prepare again"
            )
        found = [spans[row.sha256] for row in rows]
        path = folder / AUDIO_FILE
        wanted = max((span.offset + span.length for span in found), default=0)
        if not path.exists() or path.stat().st_size < wanted * 2 or wanted == 0:
            raise DataError(f"{path}: missing, empty or shorter than its index; prepare again")
        return Clips(
            rows=tuple(rows),
            offsets=np.array([span.offset for span in found], dtype=np.int64),
            lengths=np.array([span.length for span in found], dtype=np.int64),
            audio=np.memmap(path, dtype=np.int16, mode="r"),
            folder=folder,
        )

    def pcm(self, clip: int, start: int = 0, length: int | None = None) -> Float32s:
        """Clip `clip` in [-1, 1), whole or from sample `start` on: float32 [T]."""
        first = int(self.offsets[clip]) + start
        last = int(self.offsets[clip] + self.lengths[clip])
        if length is not None:
            last = min(last, first + length)
        return self.audio[first:last].astype(np.float32) / np.float32(32768)


def file_sha256(path: Path) -> str:
    """The hash of a file's bytes."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as cause:
        raise DataError(f"{path}: cannot be read: {cause}") from cause


def decode(path: Path, *, longest_s: float = LONGEST_SECONDS) -> tuple[Int16s, int]:
    """A file of any format as 16 kHz mono [T], cut at `longest_s`, and the rate it had."""
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise DataError(f"{path}: has no audio")
            stream = container.streams.audio[0]
            rate_hz = stream.rate
            as_floats = av.AudioResampler(format="fltp")
            parts: list[Float32s] = []
            count = 0
            for frame in container.decode(stream):
                for floats in as_floats.resample(frame):
                    # FFmpeg's own way to mono adds 3 dB, which can clip.
                    parts.append(floats.to_ndarray().mean(axis=0, dtype=np.float32))
                    count += parts[-1].size
                if count >= longest_s * rate_hz:
                    break
    except (av.error.FFmpegError, OSError, ValueError) as cause:
        raise DataError(f"{path}: cannot be decoded: {cause}") from cause
    if count < SHORTEST_SECONDS * rate_hz:
        raise DataError(f"{path}: shorter than {SHORTEST_SECONDS} s")
    pcm = np.concatenate(parts)[: int(longest_s * rate_hz)]
    if not np.isfinite(pcm).all():
        raise DataError(f"{path}: holds samples that are not numbers")
    wide = resample(pcm, rate_hz, SAMPLE_RATE_HZ)
    return np.clip(np.round(wide * 32768), -32768, 32767).astype(np.int16), rate_hz


def build_cache(
    folder: Path, rows: Sequence[Row], unusable: Sequence[Skipped] = ()
) -> tuple[list[Row], list[Skipped]]:
    """Decode what the cache lacks and write the manifest of the clips that can be used.

    A clip is kept once: the same file or the same audio a second time is skipped, as is what
    cannot be decoded; all of it is listed behind what was `unusable` before. After a kill the
    next run goes on behind the last whole clip.
    """
    folder.mkdir(parents=True, exist_ok=True)
    index = folder / INDEX_FILE
    spans = _read_index(index) if index.exists() else {}
    end = max((span.offset + span.length for span in spans.values()), default=0)
    kept: list[Row] = []
    skipped = list(unusable)
    first_with: dict[str, Row] = {}
    with (folder / AUDIO_FILE).open("ab") as audio, index.open("a", newline="") as table:
        os.truncate(audio.fileno(), end * 2)  # drop a clip that a kill left without its index
        writer = csv.writer(table)
        if table.tell() == 0:
            writer.writerow(INDEX_COLUMNS)
        for row in tqdm(rows, desc="decoding", unit="clip", file=sys.stderr, mininterval=1.0):
            span = spans.get(row.sha256)
            if span is None:
                try:
                    pcm, rate_hz = decode(Path(row.path))
                except DataError as cause:
                    skipped.append(Skipped(row.path, str(cause).removeprefix(f"{row.path}: ")))
                    continue
                digest = hashlib.sha256(pcm.tobytes()).hexdigest()
                span = Span(end, pcm.size, rate_hz, digest)
                audio.write(pcm.tobytes())
                audio.flush()  # the samples are on their way before the index speaks of them
                end += pcm.size
                spans[row.sha256] = span
                writer.writerow((row.sha256, span.offset, span.length, rate_hz, digest))
                table.flush()
            twin = first_with.setdefault(span.pcm_sha256, row)
            if twin is not row:
                note = "" if twin.source == row.source else f", which is labelled {twin.source!r}"
                skipped.append(Skipped(row.path, f"same audio as {twin.path}{note}"))
                continue
            seconds = round(span.length / SAMPLE_RATE_HZ, 3)
            kept.append(replace(row, seconds=seconds, rate_hz=row.rate_hz or span.rate_hz))
    write_manifest(folder / MANIFEST_FILE, kept)
    _write_skipped(folder / SKIPPED_FILE, skipped)
    return kept, skipped


def _read_index(path: Path) -> dict[str, Span]:
    try:
        return {
            cells["sha256"]: Span(
                int(cells["offset"]),
                int(cells["length"]),
                int(cells["rate_hz"]),
                cells["pcm_sha256"],
            )
            for _, cells in read_table(path, INDEX_COLUMNS, exact=True)
        }
    except ValueError as cause:
        raise DataError(f"{path}: {cause}; delete the folder and prepare again") from cause


def _write_skipped(path: Path, skipped: Sequence[Skipped]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "reason"))
        writer.writerows((item.path, item.reason) for item in skipped)
