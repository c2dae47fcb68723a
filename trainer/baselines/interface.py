"""What a baseline is: it is given a fold, and says something of every clip at every look.

Anything here can be missing but the spoof score: a judge that names nobody says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from streamtrace.values import Bools, Catalog, Float32s
from trainer.baselines.hearing import Hearing
from trainer.manifest import BONAFIDE_SOURCE, Row
from trainer.progress import Progress

Array = npt.NDArray[Any]
ABSENT = -1e3  # the logit of a source that a fold was not taught


ALL_AT_ONCE = 1 << 30


class LooksAt(Enum):
    """When a baseline is asked, by what an answer costs it."""

    HOPS = "every hop of 480 ms"
    LENGTHS = "the first hop that has heard each length of speech, and the end"
    END = "the end of a clip alone"


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """Of K looks; a score's scale is the baseline's own, the larger the more of it."""

    spoof: Float32s  # [K] synthetic
    sources: Float32s | None = None  # [K, S] logits; ABSENT for what was not taught
    families: Float32s | None = None  # [K, F] logits
    novelty: Float32s | None = None  # [K] of a system never met

    def tensors(self) -> dict[str, Array]:
        """By name, without what there is not."""
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        return {k: np.asarray(v, np.float32) for k, v in named.items() if v is not None}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Array]) -> Said:
        """The inverse of `tensors`, whatever lies beside them."""
        return cls(**{f.name: tensors.get(f.name) for f in fields(cls)})  # type: ignore[arg-type]

    @classmethod
    def joined(cls, parts: Sequence[Said]) -> Said:
        """One behind the other."""
        names = parts[0].tensors()
        each = [part.tensors() for part in parts]
        return cls(**{name: np.concatenate([one[name] for one in each]) for name in names})


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """One held-out fold: the clips to learn from, and where stages of it are kept."""

    train: tuple[int, ...]  # clips
    rows: tuple[Row, ...]  # of the clips in `train`
    catalog: Catalog
    hearing: Hearing
    folder: Path
    key: bytes  # of all that decides what is learnt: rows, lines, code, settings
    seed: int

    @property
    def classes(self) -> npt.NDArray[np.int64]:
        """[R] catalog index of each row's source; S for human, -1 for what has no name."""
        place = {source.name: i for i, source in enumerate(self.catalog.sources)}
        place[BONAFIDE_SOURCE] = len(place)
        return np.array([place.get(row.source, -1) for row in self.rows], np.int64)

    @property
    def taught(self) -> Bools:
        """[S] which sources the rows hold."""
        return np.isin(np.arange(len(self.catalog.sources)), self.classes)

    @property
    def synthetic(self) -> Bools:
        """[R]."""
        return np.array([row.is_synthetic for row in self.rows], np.bool_)


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """One clip, and how many of its samples each look at it has heard."""

    clip: int
    looks: npt.NDArray[np.int64]  # [n] ascending


class Judge(Protocol):
    """What learning came to."""

    def judge(self, asked: Sequence[Asked], line: str) -> Said:
        """Of every look, clip by clip; nothing behind a look counts for it."""
        ...


def one_by_one(asked: Sequence[Asked], say: Callable[[Asked], Said], name: str) -> Said:
    """What is said of each clip for itself, with progress."""
    progress = Progress(name, total=len(asked))
    parts: list[Said] = []
    for one in asked:
        parts.append(say(one))
        progress.advance({})
    progress.close()
    return Said.joined(parts)


class Baseline(Protocol):
    """A way to make a judge of a fold's training clips."""

    @property
    def name(self) -> str:
        """As tables print it."""
        ...

    @property
    def looks_at(self) -> LooksAt:
        """How often it is asked."""
        ...

    @property
    def settings(self) -> str:
        """What else decides what it says, beside code and clips."""
        ...

    @property
    def clips_at_once(self) -> int:
        """How many are judged before what was said is kept: what a kill can cost."""
        ...

    @property
    def code(self) -> Sequence[str]:
        """The files of this folder that decide what it says, beside those of all baselines."""
        ...

    def learn(self, lesson: Lesson) -> Judge:
        """Learn from a fold's training clips alone."""
        ...
