"""The heads behind the pooled statistics: embedding, spoof, source and family logits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streamtrace.tracing.logits import Floats
from streamtrace.tracing.member import Member
from streamtrace.tracing.tensors import Tensors, float_tensor, unit_rows
from streamtrace.values import Float32s

SPECTRAL = "spectral."


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """What the heads say of one stretch of speech."""

    embedding: Floats  # [..., E] of length 1
    spoof_logit: Floats  # [...] of the learned member
    spectral_logit: Floats  # [...] of the spectral member; zero where there is none
    source_logits: Floats  # [..., S]
    family_logits: Floats  # [..., F]


@dataclass(frozen=True, slots=True, eq=False)
class Heads:
    """One member on what the encoder learned and, if the model has it, one on its cepstra.

    The ensemble's embedding is both members' embeddings side by side at equal length, so a cosine
    with it is the mean of the members' cosines: scores and embeddings are fused by one product.
    """

    learned: Member
    spectral: Member | None
    source_weight: Float32s  # [S, E] with its scale folded in
    family_weight: Float32s  # [F, E] likewise

    @classmethod
    def from_tensors(cls, tensors: Tensors) -> Heads:
        """From heads.safetensors; BundleError names the tensor that is missing or misshapen."""
        learned = Member.from_tensors(tensors)
        spectral = None
        if any(name.startswith(SPECTRAL) for name in tensors):
            spectral = Member.from_tensors(tensors, SPECTRAL, hidden=True)
        size = learned.size + (spectral.size if spectral else 0)
        source = unit_rows(tensors, "source.weight", (None, size))
        family = unit_rows(tensors, "family.weight", (None, size))
        return cls(
            learned=learned,
            spectral=spectral,
            source_weight=source * float_tensor(tensors, "source.scale", (1,)),
            family_weight=family * float_tensor(tensors, "family.scale", (1,)),
        )

    @property
    def width(self) -> int:
        """D, the width of a frame embedding."""
        spectral = self.spectral.statistics if self.spectral else 0
        return (self.learned.statistics + spectral) // 2

    @property
    def size(self) -> int:
        """E, the width of the embedding of a whole stretch."""
        return self.source_weight.shape[1]

    def scores(self, statistics: Floats) -> Scores:
        """[..., 2D] -> scores; the cepstra are the last of the means and of the deviations."""
        if self.spectral is None:
            embedding, spoof_logit = self.learned(statistics)
            spectral_logit = np.zeros_like(spoof_logit)
        else:
            cut = self.learned.statistics // 2
            mean, deviation = np.split(statistics, 2, axis=-1)
            halves = [
                np.concatenate([mean[..., part], deviation[..., part]], axis=-1)
                for part in (slice(None, cut), slice(cut, None))
            ]
            one, spoof_logit = self.learned(halves[0])
            other, spectral_logit = self.spectral(halves[1])
            embedding = np.concatenate([one, other], axis=-1) * np.float32(0.5**0.5)
        return Scores(
            embedding=embedding,
            spoof_logit=spoof_logit,
            spectral_logit=spectral_logit,
            source_logits=embedding @ self.source_weight.T,
            family_logits=embedding @ self.family_weight.T,
        )
