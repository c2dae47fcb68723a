"""The linear heads behind the pooled statistics: embedding, spoof, source and family logits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streamtrace.errors import BundleError
from streamtrace.tracing.logits import Floats
from streamtrace.tracing.tensors import Tensors, float_tensor, unit_rows
from streamtrace.values import Float32s

SHORTEST_EMBEDDING = 1e-6  # below it the direction means nothing and must not be blown up


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """What the heads say of one stretch of speech."""

    embedding: Float32s  # [..., E] of length 1
    spoof_logit: Floats  # [...]
    source_logits: Float32s  # [..., S]
    family_logits: Float32s  # [..., F]


@dataclass(frozen=True, slots=True, eq=False)
class Heads:
    """The heads' weights; what is constant between two of them is folded together once."""

    embed_weight: Float32s  # [E, 2D] with the standardisation of its input folded in
    embed_bias: Float32s  # [E]
    spoof_weight: Float32s  # [E]
    spoof_bias: float
    source_weight: Float32s  # [S, E] with its scale folded in
    family_weight: Float32s  # [F, E] likewise

    @classmethod
    def from_tensors(cls, tensors: Tensors) -> Heads:
        """From heads.safetensors; BundleError names the tensor that is missing or misshapen."""
        weight = float_tensor(tensors, "embed.weight", (None, None))
        size, statistics = weight.shape
        if statistics % 2:
            raise BundleError(
                f"heads.safetensors: 'embed.weight' takes {statistics} statistics; want an even "
                f"number, as many deviations as means"
            )
        mean = float_tensor(tensors, "embed.mean", (statistics,))
        scale = float_tensor(tensors, "embed.scale", (statistics,))
        if scale.min() <= 0:
            raise BundleError("heads.safetensors: 'embed.scale' must be above 0 everywhere")
        folded = weight.astype(np.float64) / scale
        bias = float_tensor(tensors, "embed.bias", (size,)) - folded @ mean
        source = unit_rows(tensors, "source.weight", (None, size))
        family = unit_rows(tensors, "family.weight", (None, size))
        return cls(
            embed_weight=folded.astype(np.float32),
            embed_bias=bias.astype(np.float32),
            spoof_weight=float_tensor(tensors, "spoof.weight", (size,)),
            spoof_bias=float(float_tensor(tensors, "spoof.bias", (1,))[0]),
            source_weight=source * float_tensor(tensors, "source.scale", (1,)),
            family_weight=family * float_tensor(tensors, "family.scale", (1,)),
        )

    @property
    def width(self) -> int:
        """D, the width of a frame embedding."""
        return self.embed_weight.shape[1] // 2

    @property
    def size(self) -> int:
        """E, the width of the embedding of a whole stretch."""
        return self.embed_weight.shape[0]

    def scores(self, statistics: Float32s) -> Scores:
        """[..., 2D] -> scores."""
        inner = statistics @ self.embed_weight.T + self.embed_bias
        length = np.sqrt(np.square(inner).sum(axis=-1, keepdims=True))
        embedding = inner / np.maximum(length, SHORTEST_EMBEDDING)
        return Scores(
            embedding=embedding,
            spoof_logit=inner @ self.spoof_weight + np.float32(self.spoof_bias),
            source_logits=embedding @ self.source_weight.T,
            family_logits=embedding @ self.family_weight.T,
        )
