"""Boosted trees on the mean and deviation of cepstra and of how they move.

Friedman, "Greedy Function Approximation: A Gradient Boosting Machine" (2001), by histograms as in
Ke et al., "LightGBM" (2017); scikit-learn's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from streamtrace.values import Float32s
from trainer.baselines.hearing import Hearing
from trainer.baselines.interface import ABSENT, ALL_AT_ONCE, Asked, Lesson, LooksAt, Said
from trainer.baselines.spectra import HOP_SAMPLES, Lfcc, heard_frames, moving
from trainer.ensemble import row_weights
from trainer.member_config import EnsembleConfig
from trainer.progress import Progress
from trainer.scikit import scikit

SHORT_SAMPLES = 2 * 100 * HOP_SAMPLES  # trees learn from whole clips and from their first 2 s
LEAST_SHARE = 1e-6


@dataclass(frozen=True, slots=True)
class Boosting:
    """One forest for detection, one for systems; trees are not kept, only what they said."""

    rounds: int = 100
    source_rounds: int = 15
    name = "boosted trees on cepstra"
    looks_at = LooksAt.HOPS
    clips_at_once = ALL_AT_ONCE
    code = ("boosting.py",)

    @property
    def settings(self) -> str:
        """Of the forests."""
        return f"{self.rounds} {self.source_rounds}"

    def learn(self, lesson: Lesson) -> _Forests:
        """Both lines of every clip, whole and short."""
        HistGradientBoostingClassifier = scikit("ensemble").HistGradientBoostingClassifier

        hearing = lesson.hearing
        progress = Progress("boosting", total=len(lesson.train))
        tables: list[Float32s] = []
        for clip in lesson.train:
            for line in hearing.lines:
                tables.append(statistics(hearing, clip, line, [SHORT_SAMPLES, 1 << 40]))
            progress.advance({})
        progress.close()
        table = np.concatenate(tables)
        versions = 2 * len(hearing.lines)
        weight = np.repeat(row_weights(lesson.rows, EnsembleConfig()), versions)
        boosted = partial(
            HistGradientBoostingClassifier,
            learning_rate=0.1,
            max_bins=64,
            max_features=0.3,
            early_stopping=False,  # pyright: ignore[reportArgumentType] "auto" is not all it takes
            random_state=lesson.seed,
        )
        detection = boosted(max_iter=self.rounds, max_leaf_nodes=16)
        detection.fit(table, np.repeat(lesson.synthetic, versions), sample_weight=weight)
        classes = np.repeat(np.where(lesson.synthetic, lesson.classes, -1), versions)
        named = classes >= 0
        naming = boosted(max_iter=self.source_rounds, max_leaf_nodes=8, min_samples_leaf=5)
        naming.fit(table[named], classes[named])
        return _Forests(detection, naming, hearing, len(lesson.taught))


@dataclass(frozen=True, slots=True, eq=False)
class _Forests:
    detection: Any
    naming: Any
    hearing: Hearing
    sources: int

    def judge(self, asked: Sequence[Asked], line: str) -> Said:
        """All looks at once: a tree asked one row at a time costs more than the clip."""
        table = np.concatenate(
            [statistics(self.hearing, one.clip, line, one.looks) for one in asked]
        )
        found = np.log(np.maximum(self.naming.predict_proba(table), LEAST_SHARE))
        sources = np.full((len(table), self.sources), ABSENT, np.float32)
        sources[:, np.asarray(self.naming.classes_, np.int64)] = found
        return Said(
            spoof=np.asarray(self.detection.decision_function(table), np.float32),
            sources=sources,
            novelty=-sources.max(axis=1),
        )


def statistics(
    hearing: Hearing, clip: int, line: str, looks: Sequence[int] | npt.NDArray[np.int64]
) -> Float32s:
    """[n, 120]: mean and deviation of 60 numbers over the frames heard at each look."""
    front = Lfcc()
    frames = moving(hearing.frames(front, clip, line)).astype(np.float64)
    count = np.array([min(heard_frames(front, int(n)), len(frames)) for n in looks])[:, None]
    mean = frames.cumsum(axis=0)[count[:, 0] - 1] / count
    square = np.square(frames).cumsum(axis=0)[count[:, 0] - 1] / count
    spread = np.sqrt(np.maximum(square - np.square(mean), 0))
    return np.concatenate([mean, spread], axis=1).astype(np.float32)
