"""One member of the ensemble: statistics in, an embedding and a spoof logit out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streamtrace.errors import BundleError
from streamtrace.tracing.logits import Floats
from streamtrace.tracing.tensors import Tensors, float_tensor
from streamtrace.values import Float32s

SHORTEST_EMBEDDING = 1e-6  # below it the direction means nothing and must not be blown up


@dataclass(frozen=True, slots=True, eq=False)
class Hidden:
    """A layer of rectified units."""

    weight: Float32s  # [H, K]
    bias: Float32s  # [H]


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """A linear layer, or one hidden layer before it; the input's standardisation is folded in."""

    hidden: Hidden | None
    embed_weight: Float32s  # [E, K or H]
    embed_bias: Float32s  # [E]
    spoof_weight: Float32s  # [E]
    spoof_bias: float

    @classmethod
    def from_tensors(cls, tensors: Tensors, prefix: str = "", *, hidden: bool = False) -> Member:
        """From heads.safetensors; BundleError names the tensor that is missing or misshapen."""
        first = f"{prefix}hidden" if hidden else f"{prefix}embed"
        weight = float_tensor(tensors, f"{first}.weight", (None, None))
        rows, statistics = weight.shape
        if statistics % 2:
            raise BundleError(
                f"heads.safetensors: '{first}.weight' takes {statistics} statistics; want an even "
                f"number, as many deviations as means"
            )
        mean = float_tensor(tensors, f"{prefix}embed.mean", (statistics,))
        scale = float_tensor(tensors, f"{prefix}embed.scale", (statistics,))
        if scale.min() <= 0:
            raise BundleError(
                f"heads.safetensors: '{prefix}embed.scale' must be above 0 everywhere"
            )
        folded = weight.astype(np.float64) / scale
        bias = float_tensor(tensors, f"{first}.bias", (rows,)) - folded @ mean
        fold = (folded.astype(np.float32), bias.astype(np.float32))
        if hidden:
            embed = float_tensor(tensors, f"{prefix}embed.weight", (None, rows))
            embed_bias = float_tensor(tensors, f"{prefix}embed.bias", (len(embed),))
        else:
            embed, embed_bias = fold
        return cls(
            hidden=Hidden(*fold) if hidden else None,
            embed_weight=embed,
            embed_bias=embed_bias,
            spoof_weight=float_tensor(tensors, f"{prefix}spoof.weight", (len(embed),)),
            spoof_bias=float(float_tensor(tensors, f"{prefix}spoof.bias", (1,))[0]),
        )

    @property
    def statistics(self) -> int:
        """K, how many statistics it takes."""
        return (self.hidden.weight if self.hidden else self.embed_weight).shape[1]

    @property
    def size(self) -> int:
        """E, the width of its embedding."""
        return len(self.embed_bias)

    def __call__(self, statistics: Floats) -> tuple[Floats, Floats]:
        """[..., K] -> embedding [..., E] of length 1, spoof logit [...]."""
        inner = statistics
        if self.hidden is not None:
            layer: Floats = inner @ self.hidden.weight.T + self.hidden.bias
            inner = np.maximum(layer, np.float32(0))
        inner = inner @ self.embed_weight.T + self.embed_bias
        length = np.sqrt(np.square(inner).sum(axis=-1, keepdims=True))
        embedding = inner / np.maximum(length, SHORTEST_EMBEDDING)
        return embedding, inner @ self.spoof_weight + np.float32(self.spoof_bias)
