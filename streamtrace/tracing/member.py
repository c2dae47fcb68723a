"""The member on what the encoder learned: statistics in, an embedding and a spoof logit out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streamtrace.errors import BundleError
from streamtrace.tracing.logits import Floats
from streamtrace.tracing.tensors import Tensors, float_tensor
from streamtrace.values import Float32s

SHORTEST_EMBEDDING = 1e-6  # below it the direction means nothing and must not be blown up


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """A linear layer; the input's standardisation is folded in."""

    embed_weight: Float32s  # [E, K]
    embed_bias: Float32s  # [E]
    spoof_weight: Float32s  # [E]
    spoof_bias: float

    @classmethod
    def from_tensors(cls, tensors: Tensors) -> Member:
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
        return cls(
            embed_weight=folded.astype(np.float32),
            embed_bias=bias.astype(np.float32),
            spoof_weight=float_tensor(tensors, "spoof.weight", (size,)),
            spoof_bias=float(float_tensor(tensors, "spoof.bias", (1,))[0]),
        )

    @property
    def statistics(self) -> int:
        """K, how many statistics it takes."""
        return self.embed_weight.shape[1]

    @property
    def size(self) -> int:
        """E, the width of its embedding."""
        return len(self.embed_bias)

    def __call__(self, statistics: Floats) -> tuple[Floats, Floats]:
        """[..., K] -> embedding [..., E] of length 1, spoof logit [...]."""
        inner = statistics @ self.embed_weight.T + self.embed_bias
        length = np.sqrt(np.square(inner).sum(axis=-1, keepdims=True))
        embedding = inner / np.maximum(length, SHORTEST_EMBEDDING)
        return embedding, inner @ self.spoof_weight + np.float32(self.spoof_bias)
