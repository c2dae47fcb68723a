"""An inverse Fourier transform as last stage: frames in, magnitudes and phases out."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trainer.vocoders.generator import Attempt, Generator
from trainer.vocoders.recipe import NetworkConfig
from trainer.vocoders.spectra import BANDS, HOP, LENGTH, inverse, log_mel


class Mixing(nn.Module):
    """A residual block: depthwise over time, then over channels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.over_time = nn.Conv1d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width)
        self.widen = nn.Linear(width, 3 * width)
        self.narrow = nn.Linear(3 * width, width)
        self.scale = nn.Parameter(torch.full((width,), 0.2))

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, N] -> [B, C, N]."""
        y = self.norm(self.over_time(x).transpose(1, 2))
        y = self.narrow(nn.functional.gelu(self.widen(y))) * self.scale
        return x + y.transpose(1, 2)


class IstftHead(Generator):
    """Never leaves the frame rate; only the transform makes samples."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.into = nn.Conv1d(BANDS, config.width, 7, padding=3)
        self.blocks = nn.Sequential(*(Mixing(config.width) for _ in range(config.layers)))
        self.norm = nn.LayerNorm(config.width)
        self.out = nn.Linear(config.width, LENGTH + 2)

    def forward(self, mel: Tensor, size: int) -> Tensor:
        """[B, 80, N] -> [B, size]."""
        x = self.norm(self.blocks(self.into(mel)).transpose(1, 2))
        level, phase = self.out(x).transpose(1, 2).chunk(2, dim=1)
        magnitude = level.clamp(max=6.0).exp()
        return inverse(torch.polar(magnitude, phase), LENGTH, HOP, size)

    def attempt(self, pcm: Tensor) -> Attempt:
        """Nothing of its own to say."""
        return Attempt({}, self(log_mel(pcm), pcm.shape[1]))

    def resynthesise(self, pcm: Tensor, draws: torch.Generator) -> Tensor:
        """Draws nothing."""
        return self(log_mel(pcm), pcm.shape[1])
