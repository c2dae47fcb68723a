"""A constant matrix cut into panels, so that few rows can be multiplied with it cheaply."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streamtrace.tracing.logits import Floats
from streamtrace.values import Float32s

# OpenBLAS copies a large right-hand matrix into its own layout at every product, which for a few
# rows costs more than the product; below 10^6 multiplications it works in place. 32 columns of a
# thousand keep under that up to 30 rows: 3x as fast for 2 rows, 1.7x for 16, and never slower.
COLUMNS = 32


@dataclass(frozen=True, slots=True, eq=False)
class Panels:
    """[K, N] as ceil(N / 32) panels [K, 32], the last one padded with zeros."""

    panels: Float32s  # [P, K, COLUMNS]
    width: int  # N

    @classmethod
    def of(cls, matrix: Float32s) -> Panels:
        """[K, N] -> its panels."""
        depth, width = matrix.shape
        count = -(-width // COLUMNS)
        padded = np.zeros((depth, count * COLUMNS), np.float32)
        padded[:, :width] = matrix
        cut = padded.reshape(depth, count, COLUMNS).transpose(1, 0, 2)
        return cls(np.ascontiguousarray(cut), width)

    @property
    def depth(self) -> int:
        """K."""
        return self.panels.shape[1]

    def __rmatmul__(self, rows: Floats) -> Floats:
        """[..., K] @ [K, N] -> [..., N]."""
        flat = rows.reshape(-1, self.depth)
        parts = np.matmul(flat, self.panels)  # [P, M, COLUMNS]
        joined = parts.transpose(1, 0, 2).reshape(len(flat), -1)[:, : self.width]
        return joined.reshape(*rows.shape[:-1], self.width)

    # Without it numpy would take the panels for a stack of matrices.
    __array_ufunc__ = None
