"""The numpy half of a model: from pooled statistics to answers, with the catalog they name."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from streamtrace.errors import BundleError
from streamtrace.fusion.evidence import gather_evidence
from streamtrace.fusion.fuse import Fused, FusionParams, family_membership, fuse
from streamtrace.fusion.policy import Policy
from streamtrace.tracing.accumulate import Pool, statistics
from streamtrace.tracing.gallery import Gallery
from streamtrace.tracing.score import Heads
from streamtrace.tracing.tensors import Tensors
from streamtrace.values import Catalog, Finding, Float32s, ModelRef


@dataclass(frozen=True, slots=True, eq=False)
class TraceModel:
    """Everything behind the encoder; shared by all calls, never changed."""

    ref: ModelRef
    catalog: Catalog
    heads: Heads
    gallery: Gallery
    fusion: FusionParams
    policy: Policy
    membership: Float32s = field(init=False)  # [S, F]
    silence: Finding = field(init=False)  # what is said of a leg that was never heard

    def __post_init__(self) -> None:
        sources, families = len(self.catalog.sources), len(self.catalog.families)
        for name, have, want in (
            ("source.weight", len(self.heads.source_weight), sources),
            ("family.weight", len(self.heads.family_weight), families),
            ("gallery.owner", self.gallery.sources, sources),
        ):
            if have != want:
                raise BundleError(f"heads.safetensors: {name!r} knows {have}, the catalog {want}")
        object.__setattr__(self, "membership", family_membership(self.catalog))
        nothing = self.answer(statistics(Pool.empty(self.width)), np.array(0))
        silence = Finding(
            float(nothing.spoof_probability),
            float(nothing.novelty),
            nothing.attribution.astype(np.float32),
            nothing.families.astype(np.float32),
            speech_ms=0,
        )
        object.__setattr__(self, "silence", silence)

    @classmethod
    def from_tensors(
        cls,
        ref: ModelRef,
        catalog: Catalog,
        tensors: Tensors,
        fusion: FusionParams,
        policy: Policy,
    ) -> TraceModel:
        """`tensors` is what heads.safetensors holds, by name."""
        heads = Heads.from_tensors(tensors)
        gallery = Gallery.from_tensors(tensors, sources=len(catalog.sources), size=heads.size)
        return cls(ref, catalog, heads, gallery, fusion, policy)

    @property
    def width(self) -> int:
        """D, the width of the frame embeddings that fit this model."""
        return self.heads.width

    def answer(self, statistics: Float32s, speech_ms: npt.NDArray[np.int64]) -> Fused:
        """[..., 2D], [...] -> answers [...]."""
        evidence = gather_evidence(statistics, speech_ms, self.heads, self.gallery)
        return fuse(evidence, self.fusion, self.membership)
