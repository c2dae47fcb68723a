"""What was judged of every clip, over every line, after each length of speech: one frozen table.

Whoever judged (a model, silence and level alone, an earlier model), figures need no more than
this; so they can be computed again, and compared clip by clip, without running a model.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from trainer.manifest import PAIRS_ORIGIN, DataError, Row

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.int64]

WHOLE_S = math.inf  # "to the end of the clip", as a length of speech
PREFIXES_S = (0.5, 1.0, 2.0, 3.0, 4.0, 6.0, WHOLE_S)
FORMAT = 1
UNKNOWN = "unknown"  # the answer behind the last source and the last family
_PER_LOOK = ("llr", "peak", "novelty", "speech_ms")
_SHARES = ("attribution", "family_shares")
_PER_CLIP = ("accuse", "novel")


@dataclass(frozen=True, slots=True)
class Clip:
    """What is true of a clip, and where it stood when it was judged."""

    sha256: str
    original_sha256: str  # of the human clip that a clip of our own making was made from
    synthetic: bool
    family: str
    source: str
    page: str
    parallel_id: str
    origin: str
    fold: int  # that it was held out with
    taught: bool  # whether its judge was taught its source

    @classmethod
    def of(cls, row: Row, *, fold: int, taught: bool) -> Clip:
        """The clip of a row of the manifest."""
        shared = {f.name: getattr(row, f.name) for f in fields(cls) if f.name in _ROW_FIELDS}
        return cls(**shared, synthetic=row.is_synthetic, fold=fold, taught=taught)

    @property
    def is_pair(self) -> bool:
        """Of this project's own making."""
        return self.origin.startswith(PAIRS_ORIGIN)


_ROW_FIELDS = frozenset(
    ("sha256", "original_sha256", "family", "source", "page", "parallel_id", "origin")
)


@dataclass(frozen=True, slots=True, eq=False)
class Judgements:
    """L lines, P lengths of speech, N clips, S sources and F families; `unknown` comes last.

    A clip with less speech than a length is judged at its end: every length is about all clips.
    """

    name: str
    clips: tuple[Clip, ...]
    sources: tuple[str, ...]
    families: tuple[str, ...]
    lines: tuple[str, ...]
    prefixes_s: tuple[float, ...]
    llr: Floats  # [L, P, N] log-odds of synthetic at the first look that heard so much speech
    peak: Floats  # [L, P, N] the highest of any look that heard no more; -inf for none
    novelty: Floats  # [L, P, N] log-odds of a system never met
    speech_ms: Ints  # [L, P, N] heard at that look
    attribution: Floats  # [L, P, N, S + 1]
    family_shares: Floats  # [L, P, N, F + 1]
    accuse: Floats  # [N] the bar for `llr` that other folds set; NaN for a judge without one
    novel: Floats  # [N] the bar for `novelty` likewise

    def __post_init__(self) -> None:
        cells = (len(self.lines), len(self.prefixes_s), len(self.clips))
        wanted: dict[str, tuple[int, ...]] = dict.fromkeys(_PER_LOOK, cells)
        wanted |= {
            "attribution": (*cells, len(self.sources) + 1),
            "family_shares": (*cells, len(self.families) + 1),
        }
        wanted |= dict.fromkeys(_PER_CLIP, cells[2:])
        for name, shape in wanted.items():
            found = getattr(self, name).shape
            if found != shape:
                raise DataError(f"judgements {self.name!r}: {name} is {found}, want {shape}")

    def place(self, line: str, prefix_s: float = WHOLE_S) -> tuple[int, int]:
        """Where a line and a length of speech are."""
        try:
            return self.lines.index(line), self.prefixes_s.index(prefix_s)
        except ValueError as cause:
            raise DataError(
                f"judgements {self.name!r}: nothing over {line!r} at {prefix_s} s; "
                f"there is {', '.join(self.lines)} at {self.prefixes_s}"
            ) from cause

    def select(self, clips: Sequence[int]) -> Judgements:
        """The same table of some clips, in that order."""
        at = np.asarray(clips, np.int64)
        return replace(
            self,
            clips=tuple(self.clips[i] for i in at),
            **{name: getattr(self, name)[:, :, at] for name in (*_PER_LOOK, *_SHARES)},
            **{name: getattr(self, name)[at] for name in _PER_CLIP},
        )


def aligned(a: Judgements, b: Judgements) -> tuple[Judgements, Judgements]:
    """Both tables on the clips that they share, in `a`'s order: what a paired comparison needs."""
    place = {(clip.sha256, clip.source): i for i, clip in enumerate(b.clips)}
    shared = [i for i, clip in enumerate(a.clips) if (clip.sha256, clip.source) in place]
    theirs = [place[a.clips[i].sha256, a.clips[i].source] for i in shared]
    mine = list(range(len(a.clips)))
    return (
        a if shared == mine else a.select(shared),
        b if theirs == list(range(len(b.clips))) else b.select(theirs),
    )


def joined(parts: Sequence[Judgements]) -> Judgements:
    """The clips of several tables of one judge in one."""
    first = parts[0]
    for part in parts[1:]:
        for name in ("sources", "families", "lines", "prefixes_s"):
            if getattr(part, name) != getattr(first, name):
                raise DataError(f"judgements {first.name!r} and {part.name!r} differ in {name}")
    return replace(
        first,
        clips=tuple(clip for part in parts for clip in part.clips),
        **{
            name: np.concatenate([getattr(part, name) for part in parts], axis=2)
            for name in (*_PER_LOOK, *_SHARES)
        },
        **{name: np.concatenate([getattr(part, name) for part in parts]) for name in _PER_CLIP},
    )


def save_judgements(judgements: Judgements, path: Path) -> None:
    """One safetensors file; what is no number lies in its header as JSON."""
    about = {
        "format": FORMAT,
        "name": judgements.name,
        "sources": judgements.sources,
        "families": judgements.families,
        "lines": judgements.lines,
        "prefixes_s": [None if p == WHOLE_S else p for p in judgements.prefixes_s],
        "clips": [asdict(clip) for clip in judgements.clips],
    }
    numbers = {
        name: np.ascontiguousarray(getattr(judgements, name), np.float32)
        for name in (*_PER_LOOK, *_SHARES, *_PER_CLIP)
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    save_file(numbers, partial, metadata={"about": json.dumps(about)})
    partial.replace(path)


def read_judgements(path: Path) -> Judgements:
    """The inverse of `save_judgements`."""
    try:
        with safe_open(path, "numpy") as file:
            about = json.loads((file.metadata() or {})["about"])
            numbers: dict[str, npt.NDArray[Any]] = {
                name: file.get_tensor(name) for name in (*_PER_LOOK, *_SHARES, *_PER_CLIP)
            }
    except (OSError, SafetensorError, KeyError, json.JSONDecodeError) as cause:
        raise DataError(f"{path}: no judgements to read ({cause}); run evaluate first") from cause
    if about["format"] != FORMAT:
        raise DataError(f"{path}: of format {about['format']}, want {FORMAT}; run evaluate again")
    numbers["speech_ms"] = numbers["speech_ms"].astype(np.int64)
    return Judgements(
        name=about["name"],
        clips=tuple(Clip(**clip) for clip in about["clips"]),
        sources=tuple(about["sources"]),
        families=tuple(about["families"]),
        lines=tuple(about["lines"]),
        prefixes_s=tuple(WHOLE_S if p is None else p for p in about["prefixes_s"]),
        **numbers,
    )
