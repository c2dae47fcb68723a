"""Silence, level, bandwidth and duration alone, asked at every length of speech.

The forests are those of `trainer/nuisance_judge.py`, which stand beside every figure of a model;
here they hear only what has been heard so far, and pass through the same calibration.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trainer.baselines.interface import ABSENT, ALL_AT_ONCE, Asked, Lesson, LooksAt, Said
from trainer.baselines.kept import kept
from trainer.nuisance import nuisance_features
from trainer.nuisance_judge import Doubles, detection_scores, named_shares
from trainer.progress import Progress

LEAST_SHARE = 1e-6


@dataclass(frozen=True, slots=True)
class Nuisance:
    """Trained on whole clips over the very line that it then judges, which is kind."""

    name = "nuisance only"
    looks_at = LooksAt.LENGTHS
    clips_at_once = ALL_AT_ONCE
    code = ("nuisance.py",)
    settings = ""

    def learn(self, lesson: Lesson) -> _Nuisance:
        """Forests are grown where a line is judged."""
        return _Nuisance(lesson)


class _Nuisance:
    def __init__(self, lesson: Lesson) -> None:
        self._lesson = lesson

    def judge(self, asked: Sequence[Asked], line: str) -> Said:
        """All looks at once."""
        lesson, catalog = self._lesson, self._lesson.catalog
        found = [i for i, row in enumerate(lesson.rows) if not row.is_pair]
        whole = [Asked(lesson.train[i], np.array([1 << 40])) for i in found]
        rows = [lesson.rows[i] for i in found]
        learnt_from = kept(
            lesson.folder / f"train-{line}.safetensors",
            lesson.key,
            lambda: {"features": self._table(whole, line)},
        )
        train = learnt_from["features"]
        test = self._table(asked, line)
        names = [source.name for source in catalog.sources]
        sources = named_shares(train, [row.source for row in rows], test, names)[:, :-1]
        kinds = [row.family for row in rows]
        families = named_shares(train, kinds, test, catalog.families)[:, :-1]
        logits = np.log(np.maximum(sources, LEAST_SHARE))
        return Said(
            spoof=detection_scores(rows, train, test).astype(np.float32),
            sources=np.where(lesson.taught, logits, ABSENT).astype(np.float32),
            families=np.log(np.maximum(families, LEAST_SHARE)).astype(np.float32),
            novelty=-logits.max(axis=1).astype(np.float32),
        )

    def _table(self, asked: Sequence[Asked], line: str) -> Doubles:
        progress = Progress(f"nuisance {line}", total=len(asked))
        found: list[Doubles] = []
        for one in asked:
            pcm = self._lesson.hearing.pcm(one.clip, line)
            found += [nuisance_features(pcm[:heard]) for heard in one.looks]
            progress.advance({})
        progress.close()
        return np.stack(found)
