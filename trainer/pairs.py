"""Matched pairs: human clips through vocoders, so that only the generator differs.

python -m trainer pairs --corpus CORPUS --out runs/pairs
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from streamtrace.values import SAMPLE_RATE_HZ, Float32s
from trainer.decode import decode, file_sha256
from trainer.disk import told_when_full
from trainer.manifest import (
    PAIRS_ORIGIN,
    Row,
    read_manifest,
    write_manifest,
)
from trainer.progress import Progress
from trainer.skipped import ClipError, Skipped, write_skipped
from trainer.vocoders.catalogue import Vocoder, vocoders_named
from trainer.vocoders.flac import write_flac
from trainer.vocoders.matching import CannotMatch, matched

MANIFEST_FILE = "manifest.csv"


def originals_of(rows: Iterable[Row]) -> list[Row]:
    """The human clips worth resynthesising; prompts are studio voices of one page each."""
    found = (row for row in rows if not row.is_synthetic and not row.origin.startswith("prompts:"))
    return list({row.sha256: row for row in found}.values())


def make_pairs(
    out: Path, originals: Sequence[Row], vocoders: Sequence[Vocoder], *, seed: int = 0
) -> list[Row]:
    """Every original through every vocoder, under `out`/SOURCE; what is there is kept.

    The manifest grows by a vocoder at a time and keeps those of earlier runs, so that `out` can be
    used while it fills. A clip's draws depend on the seed, the clip and the vocoder alone.
    """
    with told_when_full(out, "every clip made so far is kept"):
        for vocoder in vocoders:
            _through(vocoder, out, originals, seed)
    return read_pairs(out)


def read_pairs(out: Path) -> list[Row]:
    """All pairs that were made under `out` so far."""
    path = out / MANIFEST_FILE
    return read_manifest(path) if path.exists() else []


def matched_pairs(out: Path, rows: Iterable[Row]) -> list[Row]:
    """Pairs of all human clips among `rows`: the DSP ones made where missing, the others as found.

    No resynthesis comes without the clip it was made from, and what is said of that clip now holds
    for both.
    """
    originals = originals_of(rows)
    there = {row.sha256: row for row in originals}
    made = make_pairs(out, originals, vocoders_named(()))
    return [
        _described(pair, there[pair.original_sha256])
        for pair in made
        if pair.original_sha256 in there
    ]


def _described(pair: Row, original: Row) -> Row:
    """A pair's row with its original's page, voice and words."""
    return replace(
        original,
        path=pair.path,
        sha256=pair.sha256,
        label=pair.label,
        family=pair.family,
        source=pair.source,
        origin=pair.origin,
        original_sha256=pair.original_sha256,
        seconds=pair.seconds,
        rate_hz=pair.rate_hz,
    )


def _through(vocoder: Vocoder, out: Path, originals: Sequence[Row], seed: int) -> None:
    """All originals through one vocoder, then their rows in place of their earlier ones."""
    folder = out / vocoder.source
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    skipped: list[Skipped] = []
    bar = Progress(vocoder.source, total=len(originals))
    for first in range(0, len(originals), vocoder.together):
        group = originals[first : first + vocoder.together]
        flaws = _resynthesise(vocoder, folder, group, seed)
        for original in group:
            flaw = flaws.get(original.sha256)
            if flaw is None:
                rows.append(_row(_path(folder, original), vocoder, original))
            else:
                skipped.append(Skipped(original.path, vocoder.source, flaw.flaw, flaw.reason))
            bar.advance({"skipped": float(len(skipped))})
    bar.close()
    write_skipped(folder / "skipped.csv", skipped)
    if skipped:
        print(
            f"{vocoder.source}: {len(skipped)} left out, see {folder}/skipped.csv", file=sys.stderr
        )
    again = {row.sha256 for row in originals}
    others = [
        row
        for row in read_pairs(out)
        if row.source != vocoder.source or row.original_sha256 not in again
    ]
    write_manifest(out / MANIFEST_FILE, [*others, *rows])


def _resynthesise(
    vocoder: Vocoder, folder: Path, originals: Sequence[Row], seed: int
) -> dict[str, ClipError]:
    """Write what is not there yet of some clips; what is wrong with those that cannot be had."""
    flaws: dict[str, ClipError] = {}
    heard: dict[str, Float32s] = {}
    missing = [row for row in originals if not _path(folder, row).exists()]
    for row in missing:
        try:
            heard[row.sha256] = decode(Path(row.path))[0].astype(np.float32) / np.float32(32768)
        except ClipError as flaw:
            flaws[row.sha256] = flaw
    if not heard:
        return flaws
    draws = [_draws(vocoder.source, digest, seed) for digest in heard]
    made = vocoder.synthesise(list(heard.values()), draws)
    sounding = [row for row in missing if row.sha256 in heard]
    for row, pcm in zip(sounding, made, strict=True):
        try:
            whole = matched(pcm, heard[row.sha256], lossy=row.lossy)
            write_flac(_path(folder, row), whole)
        except CannotMatch as cause:
            flaws[row.sha256] = ClipError(Path(row.path), "unmatched", str(cause))
    return flaws


def _path(folder: Path, original: Row) -> Path:
    return folder / f"{original.sha256[:16]}.flac"


def _draws(source: str, digest: str, seed: int) -> np.random.Generator:
    """What a vocoder draws for a clip depends on both and on nothing else."""
    return np.random.default_rng((seed, zlib.crc32(source.encode()), int(digest[:16], 16)))


def _row(path: Path, vocoder: Vocoder, original: Row) -> Row:
    return replace(
        original,
        path=str(path),
        sha256=file_sha256(path),
        label="synthetic",
        family=vocoder.family,
        source=vocoder.source,
        origin=f"{PAIRS_ORIGIN}{vocoder.source}",
        original_sha256=original.sha256,
        seconds=_seconds(path),
        rate_hz=SAMPLE_RATE_HZ,
    )


def _seconds(path: Path) -> float:
    import av

    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        return round(float((stream.duration or 0) * (stream.time_base or 0)), 3)
