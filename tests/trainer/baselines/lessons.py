"""Tiny folds for baselines, and hearing whose future can be changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from streamtrace.values import Float32s
from trainer.baselines.autoencoder import AutoencoderGmm
from trainer.baselines.boosting import Boosting
from trainer.baselines.ge2e import Ge2e
from trainer.baselines.hearing import Hearing
from trainer.baselines.interface import Baseline, Lesson
from trainer.baselines.mixtures import LfccGmm
from trainer.baselines.nuisance import Nuisance
from trainer.baselines.refd import Refd
from trainer.baselines.spectra import FrontEnd
from trainer.baselines.tdnn import Tdnn
from trainer.catalog import catalog_of
from trainer.dataset import Dataset

# Every baseline that learns, small enough to learn nothing in no time.
TINY: dict[str, Baseline] = {
    "refd": Refd(steps=2, batch=4),
    "ge2e": Ge2e(steps=2, classes=3, each=2),
    "lfcc-gmm": LfccGmm(components=3, frames=1000),
    "ae-gmm": AutoencoderGmm(components=3, frames=1000, steps=2, batch=4),
    "tdnn": Tdnn(steps=2, batch=8),
    "boosting": Boosting(rounds=3, source_rounds=2),
    "nuisance": Nuisance(),
}


class Doctored(Hearing):
    """Clips as they are until a sample, and a roar from there on."""

    roars_from: int | None = None

    def pcm(self, clip: int, line: str) -> Float32s:
        pcm = super().pcm(clip, line).copy()
        if self.roars_from is not None:
            rest = pcm[self.roars_from :]
            rest[:] = np.random.default_rng(0).uniform(-1, 1, len(rest))
        return pcm

    def frames(self, front: FrontEnd, clip: int, line: str) -> Float32s:
        return front.frames(self.pcm(clip, line))  # never from disk


def lesson_of(data: Dataset, folder: Path, hearing: Hearing, *, fold: int = 0) -> Lesson:
    train = tuple(data.training_rows(2, fold))
    return Lesson(
        train=train,
        rows=tuple(data.rows[i] for i in train),
        catalog=catalog_of(data.rows),
        hearing=hearing,
        folder=folder,
        key=b"key",
        seed=fold,
    )
