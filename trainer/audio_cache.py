"""Every clip at 16 kHz mono, side by side in one file that is mapped, not read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from streamtrace.values import Float32s
from trainer.decode import Int16s
from trainer.manifest import DataError, Row, read_manifest, read_table

AUDIO_FILE = "audio.i16"
INDEX_FILE = "index.csv"
MANIFEST_FILE = "manifest.csv"
INDEX_COLUMNS = ("sha256", "offset", "length", "rate_hz", "pcm_sha256")


@dataclass(frozen=True, slots=True)
class Span:
    """Where one file's samples lie in the audio file."""

    offset: int
    length: int
    rate_hz: int
    pcm_sha256: str


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
        spans = read_index(folder / INDEX_FILE)
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


def read_index(path: Path) -> dict[str, Span]:
    """Where the audio of every file lies, by the file's hash."""
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
