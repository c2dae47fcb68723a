"""Causal convolutions: what they see ends with the frame that they make."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class CausalConv(nn.Module):
    """The Conformer's convolution module: gate, depthwise over time (causal), mix."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.kernel = kernel
        self.gate = nn.Linear(width, 2 * width)
        self.depthwise = nn.Conv1d(width, width, kernel, groups=width)
        self.norm = nn.LayerNorm(width)
        self.mix = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """[B, N, C] -> [B, N, C], from the leg's beginning."""
        value, gate = self.gate(x).chunk(2, dim=-1)
        fresh = (value * torch.sigmoid(gate)).transpose(1, 2)
        seen = functional.pad(fresh, (self.kernel - 1, 0))  # [B, C, K-1+N]
        mixed = self.depthwise(seen).transpose(1, 2)
        return self.mix(functional.silu(self.norm(mixed)))


class CausalSubsampling(nn.Module):
    """Two strided convolutions over time and frequency: 10-ms features to 40-ms frames.

    Kernel 3, stride 2 and one frame of memory each: nothing looks ahead, every step has one shape.
    """

    def __init__(self, bands: int, channels: tuple[int, int], width: int) -> None:
        super().__init__()
        first, second = channels
        self.first = nn.Conv2d(1, first, 3, stride=2, padding=(0, 1))
        self.second = nn.Conv2d(first, second, 3, stride=2, padding=(0, 1))
        self.project = nn.Linear(second * (bands // 4), width)

    def forward(self, features: Tensor) -> Tensor:
        """[B, 4N, F] -> [B, N, width], from the leg's beginning.

        What was before is zeros, in the features and between the convolutions alike.
        """
        seen = functional.pad(features, (0, 0, 1, 0))[:, None]  # [B, 1, 4N+1, F]
        half = functional.silu(self.first(seen))  # [B, C, 2N, F/2]
        joined = functional.pad(half, (0, 0, 1, 0))
        quarter = functional.silu(self.second(joined))  # [B, C', N, F/4]
        return self.project(quarter.permute(0, 2, 1, 3).flatten(2))
