"""One block of bytes per batch, so that one copy takes it to the device and one brings it back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

ALIGNMENT = 256  # bytes: what a device reads at its best

_TORCH: dict[str, torch.dtype] = {
    "float32": torch.float32,
    "int64": torch.int64,
    "bool": torch.bool,
}


@dataclass(frozen=True, slots=True)
class Field:
    """One array of a block, [rows, *shape]."""

    dtype: str
    shape: tuple[int, ...] = ()

    def nbytes(self, rows: int) -> int:
        """Its size for so many rows."""
        return rows * int(np.prod(self.shape, dtype=np.int64)) * np.dtype(self.dtype).itemsize


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each field lies in a block of `rows` rows; the same on both sides of the copy."""

    fields: Mapping[str, Field]
    rows: int

    @property
    def nbytes(self) -> int:
        """The block's size, gaps included."""
        return sum(_aligned(field.nbytes(self.rows)) for field in self.fields.values())

    def arrays(self, block: npt.NDArray[np.uint8]) -> dict[str, npt.NDArray[Any]]:
        """The fields as views of a block on the host."""
        views: dict[str, npt.NDArray[Any]] = {}
        for name, at, field in self._places():
            flat = block[at : at + field.nbytes(self.rows)].view(field.dtype)
            views[name] = flat.reshape(self.rows, *field.shape)
        return views

    def tensors(self, block: Tensor) -> dict[str, Tensor]:
        """The fields as views of a block on the device."""
        views: dict[str, Tensor] = {}
        for name, at, field in self._places():
            flat = block[at : at + field.nbytes(self.rows)].view(_TORCH[field.dtype])
            views[name] = flat.view(self.rows, *field.shape)
        return views

    def _places(self) -> list[tuple[str, int, Field]]:
        places: list[tuple[str, int, Field]] = []
        at = 0
        for name, field in self.fields.items():
            places.append((name, at, field))
            at += _aligned(field.nbytes(self.rows))
        return places


def _aligned(nbytes: int) -> int:
    return -(-nbytes // ALIGNMENT) * ALIGNMENT
