"""Transposed convolutions as last stage: from frames to samples by factors of 8, 8, 2 and 2."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu
from torch.nn.utils.parametrizations import weight_norm

from trainer.vocoders.generator import Attempt, Generator
from trainer.vocoders.recipe import NetworkConfig
from trainer.vocoders.spectra import BANDS, log_mel

FACTORS = (8, 8, 2, 2)


class Residual(nn.Module):
    """Two kernels over three dilations each, averaged."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.paths = nn.ModuleList(
            nn.ModuleList(
                weight_norm(nn.Conv1d(width, width, kernel, dilation=d, padding=kernel // 2 * d))
                for d in (1, 3, 5)
            )
            for kernel in (3, 7)
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, T] -> [B, C, T]."""
        total = torch.zeros_like(x)
        for path in self.paths:
            y = x
            for convolution in path:  # pyright: ignore[reportGeneralTypeIssues]
                y = y + convolution(leaky_relu(y, 0.1))
            total = total + y
        return total / len(self.paths)


class UpsampleGan(Generator):
    """Halves its width at every factor."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        width = config.width
        self.into = weight_norm(nn.Conv1d(BANDS, width, 7, padding=3))
        self.up, self.mix = nn.ModuleList(), nn.ModuleList()
        for factor in FACTORS:
            narrow = max(width // 2, 8)
            self.up.append(
                weight_norm(
                    nn.ConvTranspose1d(width, narrow, 2 * factor, factor, padding=factor // 2)
                )
            )
            self.mix.append(Residual(narrow))
            width = narrow
        self.out = weight_norm(nn.Conv1d(width, 1, 7, padding=3))

    def forward(self, mel: Tensor) -> Tensor:
        """[B, 80, N] -> [B, 256 N]."""
        x = self.into(mel)
        for up, mix in zip(self.up, self.mix, strict=True):
            x = mix(up(leaky_relu(x, 0.1)))
        return self.out(leaky_relu(x, 0.1))[:, 0].tanh()

    def attempt(self, pcm: Tensor) -> Attempt:
        """Nothing of its own to say."""
        return Attempt({}, self._made(pcm))

    def resynthesise(self, pcm: Tensor, draws: torch.Generator) -> Tensor:
        """Draws nothing."""
        return self._made(pcm)

    def _made(self, pcm: Tensor) -> Tensor:
        return self(log_mel(pcm))[:, : pcm.shape[1]]
