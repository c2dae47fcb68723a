"""Cepstra beside what the network learns: fixed, cheap, and the better travellers of the two.

Statistics of linear-frequency cepstra carry over to recording chains that a network trained on a
few hours has never met (Sahidullah et al., 2015, for LFCC; our figures: `trainer/EXPERIMENTS.md`).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from streamtrace.encoder.features import FeatureConfig
from streamtrace.values import Float32s

FEATURES_PER_FRAME = 4  # 10-ms features to a 40-ms frame


def cosine_matrix(coefficients: int, bands: int) -> Float32s:
    """[bands, coefficients]: the orthonormal DCT-II, first row `c0` included."""
    angle = np.pi * np.outer(np.arange(bands) + 0.5, np.arange(coefficients)) / bands
    return (np.cos(angle) * np.sqrt(2.0 / bands)).astype(np.float32)


class Cepstra(nn.Module):
    """[B, 4N, F] features and the one before them -> [B, N, 2 * (wide + low)].

    Per frame the mean cepstra over all bands and over the telephone band alone, and the mean of
    how much each moves in 10 ms.
    """

    def __init__(self, features: FeatureConfig, wide: int, low: int) -> None:
        super().__init__()
        bands = features.low_bands + features.high_bands
        matrix = np.zeros((features.width, wide + low), np.float32)  # the level takes no part
        matrix[:bands, :wide] = cosine_matrix(wide, bands)
        matrix[: features.low_bands, wide:] = cosine_matrix(low, features.low_bands)
        self.size = 2 * (wide + low)
        self.register_buffer("matrix", torch.as_tensor(matrix), persistent=False)
        self.matrix: Tensor

    def forward(self, features: Tensor, features_tail: Tensor) -> Tensor:
        """[B, 4N, F], [B, 1, F] -> [B, N, size]."""
        cepstra = torch.cat([features_tail, features], dim=1) @ self.matrix  # [B, 4N + 1, K]
        moved = (cepstra[:, 1:] - cepstra[:, :-1]).abs()
        both = torch.cat([cepstra[:, 1:], moved], dim=-1)
        batch, _, size = both.shape
        return both.reshape(batch, -1, FEATURES_PER_FRAME, size).mean(dim=2)
