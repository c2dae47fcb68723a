"""The members that read the signature: small networks side by side, and one linear discriminant."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streamtrace.errors import BundleError
from streamtrace.tracing.logits import Floats, log_softmax
from streamtrace.tracing.panels import Panels
from streamtrace.tracing.tensors import Tensors, float_tensor
from streamtrace.values import Float32s

PREFIX = "signature."
SHORTEST_EMBEDDING = 1e-6  # below it the direction means nothing and must not be blown up
MOST_DEVIATIONS = 6.0  # a statistic further out than this says no more than one at this distance


@dataclass(frozen=True, slots=True, eq=False)
class Opinion:
    """What the members say of one stretch of speech, averaged."""

    embedding: Floats  # [..., M * E] of length 1
    spoof_logit: Floats  # [...]
    source_logits: Floats  # [..., S] log shares
    family_logits: Floats  # [..., F] log shares


@dataclass(frozen=True, slots=True, eq=False)
class Ensemble:
    """M networks of one hidden layer over the same K statistics, and a linear discriminant."""

    mean: Float32s  # [K]
    scale: Float32s  # [K]
    first_weight: Panels  # [K, M * H + S + F]: all members' first layers, and the discriminant
    hidden_bias: Float32s  # [M * H]
    embed_weight: Float32s  # [M, H, E]
    embed_bias: Float32s  # [M, 1, E]
    class_weight: Float32s  # [M, E, 1 + S + F]: spoof, then sources, then families
    class_bias: Float32s  # [M, 1, 1 + S + F]
    linear_bias: Float32s  # [S + F]
    linear_share: float  # of the discriminant's say beside the networks' mean
    sources: int  # S

    @classmethod
    def from_tensors(cls, tensors: Tensors, *, sources: int, families: int) -> Ensemble:
        """From heads.safetensors; BundleError names the tensor that is missing or misshapen."""

        def take(name: str, *shape: int | None) -> Float32s:
            return float_tensor(tensors, PREFIX + name, shape)

        hidden = take("hidden.weight", None, None, None)
        members, units, statistics = hidden.shape
        if statistics % 2:
            raise BundleError(
                f"heads.safetensors: '{PREFIX}hidden.weight' takes {statistics} statistics; want "
                f"an even number, as many deviations as means"
            )
        scale = take("scale", statistics)
        if scale.min() <= 0:
            raise BundleError(f"heads.safetensors: '{PREFIX}scale' must be above 0 everywhere")
        embed = take("embed.weight", members, None, units)
        size = embed.shape[1]
        classes = [
            take("spoof.weight", members, 1, size),
            take("source.weight", members, sources, size),
            take("family.weight", members, families, size),
        ]
        spoof_bias = take("spoof.bias", members, 1)
        bias = np.concatenate(
            [spoof_bias, np.zeros((members, sources + families), np.float32)], axis=1
        )
        linear = [take("linear.source.weight", sources, statistics)]
        linear += [take("linear.family.weight", families, statistics)]
        linear_bias = [take("linear.source.bias", sources), take("linear.family.bias", families)]
        return cls(
            mean=take("mean", statistics),
            scale=scale,
            first_weight=Panels.of(
                np.concatenate([hidden.reshape(members * units, statistics), *linear]).T
            ),
            hidden_bias=take("hidden.bias", members, units).reshape(-1),
            embed_weight=np.ascontiguousarray(embed.transpose(0, 2, 1)),
            embed_bias=take("embed.bias", members, size)[:, None],
            class_weight=np.ascontiguousarray(np.concatenate(classes, axis=1).transpose(0, 2, 1)),
            class_bias=bias[:, None],
            linear_bias=np.concatenate(linear_bias),
            linear_share=float(take("linear.share", 1)[0]),
            sources=sources,
        )

    @property
    def statistics(self) -> int:
        """K, how many statistics it takes."""
        return len(self.mean)

    @property
    def size(self) -> int:
        """The width of the joint embedding."""
        members, _, size = self.embed_weight.shape
        return members * size

    def __call__(self, statistics: Floats) -> Opinion:
        """[..., K] -> the members' opinion."""
        leading = statistics.shape[:-1]
        x = (statistics.reshape(-1, self.statistics) - self.mean) / self.scale
        np.clip(x, -MOST_DEVIATIONS, MOST_DEVIATIONS, out=x)
        members, units, size = self.embed_weight.shape
        first = x @ self.first_weight
        hidden = np.maximum(first[:, : members * units] + self.hidden_bias, np.float32(0))
        each = hidden.reshape(-1, members, units).transpose(1, 0, 2)  # [M, N, H]
        inner = each @ self.embed_weight + self.embed_bias  # [M, N, E]
        classes = inner @ self.class_weight + self.class_bias  # [M, N, 1 + S + F]
        cut = 1 + self.sources
        linear = first[:, members * units :] + self.linear_bias
        sources = log_softmax(classes[..., 1:cut]).mean(axis=0)
        families = log_softmax(classes[..., cut:]).mean(axis=0)
        length = np.sqrt(np.square(inner).sum(axis=-1, keepdims=True))
        unit = inner / np.maximum(length, SHORTEST_EMBEDDING) * np.float32(members**-0.5)
        share = np.float32(self.linear_share)

        def shaped(rows: Floats) -> Floats:
            return rows.reshape((*leading, *rows.shape[1:]))

        return Opinion(
            embedding=shaped(unit.transpose(1, 0, 2).reshape(-1, members * size)),
            spoof_logit=shaped(classes[..., 0].mean(axis=0)),
            source_logits=shaped(sources + share * log_softmax(linear[:, : self.sources])),
            family_logits=shaped(families + share * log_softmax(linear[:, self.sources :])),
        )
