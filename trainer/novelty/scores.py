"""All of the scores by name, over one bank of training clips."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from streamtrace.tracing.logits import Floats
from trainer.novelty.conformal import conformal_margin
from trainer.novelty.gaussian import mahalanobis, relative_mahalanobis
from trainer.novelty.logits import energy, softmax_energy
from trainer.novelty.neighbours import nearest, nsd

NEIGHBOURS = 5


@dataclass(frozen=True, slots=True, eq=False)
class Bank:
    """Synthetic clips of training whose system is named, as the same judge hears them."""

    embedding: Floats  # [R, E]
    logits: Floats  # [R, C]
    owner: npt.NDArray[np.int64]  # [R] the system's column

    @property
    def taught(self) -> npt.NDArray[np.int64]:
        """The columns that training held; others say nothing and are left out."""
        return np.unique(self.owner)


Score = Callable[[Floats, Floats, Bank], Floats]

SCORES: dict[str, Score] = {
    "NSD": lambda e, f, bank: nsd(e, f, bank.embedding, bank.logits[:, bank.taught]),
    "energy": lambda _, f, bank: energy(f),
    "softmax energy": lambda _, f, bank: softmax_energy(f),
    "Mahalanobis": lambda e, _, bank: mahalanobis(e, bank.embedding, bank.owner),
    "relative Mahalanobis": lambda e, _, bank: relative_mahalanobis(e, bank.embedding, bank.owner),
    "nearest neighbour": lambda e, _, bank: nearest(e, bank.embedding),
    f"{NEIGHBOURS} nearest neighbours": lambda e, _, bank: nearest(e, bank.embedding, NEIGHBOURS),
    "conformal margin": lambda _, f, bank: conformal_margin(
        f,
        bank.logits[:, bank.taught],
        np.searchsorted(bank.taught, bank.owner).astype(np.int64),
    ),
}


def novelty(name: str, embedding: Floats, logits: Floats, bank: Bank) -> Floats:
    """[N, E], [N, C] -> [N], higher for what is newer."""
    return SCORES[name](embedding, logits[:, bank.taught], bank)
