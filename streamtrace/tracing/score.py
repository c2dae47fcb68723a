"""The heads behind the pooled statistics: embedding, spoof, source and family logits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streamtrace.tracing.ensemble import PREFIX, Ensemble
from streamtrace.tracing.logits import Floats
from streamtrace.tracing.member import Member
from streamtrace.tracing.tensors import Tensors, float_tensor, unit_rows
from streamtrace.values import Float32s

LEARNED_SHARE = 0.2  # of a joint cosine; the signature's neighbours travel better across pages


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """What the heads say of one stretch of speech; the signature's are zero where there is none."""

    embedding: Floats  # [..., E] of length 1
    spoof_logit: Floats  # [...] of the learned member
    source_logits: Floats  # [..., S]
    family_logits: Floats  # [..., F]
    signature_spoof: Floats  # [...] of the members on the signature
    signature_sources: Floats  # [..., S]
    signature_families: Floats  # [..., F]


@dataclass(frozen=True, slots=True, eq=False)
class Heads:
    """One member on what the encoder learned and, if the model has them, some on its signature.

    The joint embedding is both embeddings side by side, so a cosine with it is a weighted mean of
    their cosines: scores and embeddings are fused alike.
    """

    learned: Member
    signature: Ensemble | None
    source_weight: Float32s  # [S, E] with its scale folded in
    family_weight: Float32s  # [F, E] likewise

    @classmethod
    def from_tensors(cls, tensors: Tensors) -> Heads:
        """From heads.safetensors; BundleError names the tensor that is missing or misshapen."""
        learned = Member.from_tensors(tensors)
        source = unit_rows(tensors, "source.weight", (None, learned.size))
        family = unit_rows(tensors, "family.weight", (None, learned.size))
        signature = None
        if any(name.startswith(PREFIX) for name in tensors):
            signature = Ensemble.from_tensors(tensors, sources=len(source), families=len(family))
        return cls(
            learned=learned,
            signature=signature,
            source_weight=source * float_tensor(tensors, "source.scale", (1,)),
            family_weight=family * float_tensor(tensors, "family.scale", (1,)),
        )

    @property
    def width(self) -> int:
        """D, the width of a frame embedding."""
        signature = self.signature.statistics if self.signature else 0
        return (self.learned.statistics + signature) // 2

    @property
    def size(self) -> int:
        """E, the width of the embedding of a whole stretch."""
        return self.learned.size + (self.signature.size if self.signature else 0)

    def scores(self, statistics: Floats) -> Scores:
        """[..., 2D] -> scores; the signature is the last of the means and of the deviations."""
        cut = self.learned.statistics // 2
        mean, deviation = np.split(statistics, 2, axis=-1)
        read = np.concatenate([mean[..., :cut], deviation[..., :cut]], axis=-1)
        embedding, spoof = self.learned(read)
        sources = embedding @ self.source_weight.T
        families = embedding @ self.family_weight.T
        if self.signature is None:
            return Scores(
                embedding,
                spoof,
                sources,
                families,
                np.zeros_like(spoof),
                np.zeros_like(sources),
                np.zeros_like(families),
            )
        fixed = np.concatenate([mean[..., cut:], deviation[..., cut:]], axis=-1)
        said = self.signature(fixed)
        both = np.concatenate(
            [
                embedding * np.float32(LEARNED_SHARE**0.5),
                said.embedding * np.float32((1 - LEARNED_SHARE) ** 0.5),
            ],
            axis=-1,
        )
        return Scores(
            both,
            spoof,
            sources,
            families,
            said.spoof_logit,
            said.source_logits,
            said.family_logits,
        )
