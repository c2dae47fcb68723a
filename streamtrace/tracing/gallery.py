"""The gallery: prototypes of every source and of human speech, and how near a voice comes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from streamtrace.errors import BundleError
from streamtrace.tracing.panels import Panels
from streamtrace.tracing.tensors import Tensors, unit_rows
from streamtrace.values import Float32s

NO_PROTOTYPE = -1.0  # the least a cosine can be: an owner without prototypes is never near


@dataclass(frozen=True, slots=True, eq=False)
class Gallery:
    """Prototypes sorted by owner; an owner is a source's index, or S for human speech."""

    prototypes: Float32s  # [P, E] of length 1, sorted by owner
    owners: npt.NDArray[np.int64]  # the owners that have prototypes, rising
    starts: npt.NDArray[np.int64]  # where each of them begins in `prototypes`
    sources: int  # S
    columns: Panels = field(init=False)  # [E, P] the prototypes, to be multiplied with

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", Panels.of(self.prototypes.T))

    @classmethod
    def from_tensors(cls, tensors: Tensors, *, sources: int, size: int) -> Gallery:
        """From heads.safetensors; `size` is the width E of an embedding."""
        prototypes = unit_rows(tensors, "gallery.prototypes", (None, size))
        owner = _owners(tensors, count=len(prototypes), sources=sources)
        order = np.argsort(owner, kind="stable")
        owners, starts = np.unique(owner[order], return_index=True)
        return cls(prototypes[order], owners.astype(np.int64), starts.astype(np.int64), sources)

    def similarity(self, embedding: Float32s) -> Float32s:
        """[..., E] -> [..., S + 1]: the cosine to each owner's nearest prototype."""
        cosine = embedding @ self.columns
        nearest = np.maximum.reduceat(cosine, self.starts, axis=-1)
        if len(self.owners) == self.sources + 1:
            return nearest
        every = np.full((*nearest.shape[:-1], self.sources + 1), NO_PROTOTYPE, np.float32)
        every[..., self.owners] = nearest
        return every


def _owners(tensors: Tensors, *, count: int, sources: int) -> npt.NDArray[np.int64]:
    owner: npt.NDArray[Any] | None = tensors.get("gallery.owner")
    if owner is None:
        raise BundleError(
            "heads.safetensors: tensor 'gallery.owner' is missing; export the model again"
        )
    if owner.shape != (count,) or owner.dtype.kind not in "iu":
        raise BundleError(
            f"heads.safetensors: 'gallery.owner' is {owner.dtype} {list(owner.shape)}; "
            f"want one integer for each of {count} prototypes"
        )
    if owner.min() < 0 or owner.max() > sources:
        raise BundleError(
            f"heads.safetensors: 'gallery.owner' names owners {owner.min()} to {owner.max()}; "
            f"want 0 to {sources} ({sources} is human speech)"
        )
    return owner.astype(np.int64)
