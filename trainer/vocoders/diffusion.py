"""Diffusion as last stage: noise of the frame's loudness, cleaned in a few steps."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from trainer.vocoders.generator import Attempt, Generator
from trainer.vocoders.recipe import NetworkConfig
from trainer.vocoders.spectra import BANDS, HOP, log_mel

# Noise added by each step of the way back, as DiffWave's fast schedule has it.
FAST_BETAS = (0.0001, 0.001, 0.01, 0.05, 0.2, 0.5)
_CYCLE = 8  # dilations 1 to 128, then again
_SILENT = 0.1  # least noise, of a frame at -25 dB


class Gated(nn.Module):
    """A dilated convolution, gated by what the frames and the amount of noise say."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.level = nn.Linear(width, width)
        self.dilated = nn.Conv1d(width, 2 * width, 3, dilation=dilation, padding=dilation)
        self.frames = nn.Conv1d(width, 2 * width, 1)
        self.out = nn.Conv1d(width, 2 * width, 1)

    def forward(self, x: Tensor, frames: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
        """[B, C, T], [B, C, T], [B, C] -> [B, C, T] and what is skipped ahead."""
        y = self.dilated(x + self.level(level)[:, :, None]) + self.frames(frames)
        gate, value = y.chunk(2, dim=1)
        y, skipped = self.out(gate.sigmoid() * value.tanh()).chunk(2, dim=1)
        return (x + y) / math.sqrt(2), skipped


class Diffusion(Generator):
    """Learns which noise was added, whatever its amount."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        width = config.width
        self.into = nn.Conv1d(1, width, 1)
        self.frames = nn.Conv1d(BANDS, width, 5, padding=2)
        self.level = nn.Sequential(nn.Linear(16, width), nn.SiLU(), nn.Linear(width, width))
        self.blocks = nn.ModuleList(
            Gated(width, 2 ** (n % _CYCLE)) for n in range(max(config.layers, 1))
        )
        self.out = nn.Sequential(nn.Conv1d(width, width, 1), nn.ReLU(), nn.Conv1d(width, 1, 1))

    def noise_in(self, noisy: Tensor, mel: Tensor, kept: Tensor) -> Tensor:
        """The noise in [B, T], of which a share `kept` [B] of the amplitude is signal: [B, T]."""
        octaves = 2.0 ** torch.arange(8, device=kept.device)
        turns = kept[:, None] * octaves * math.pi
        level = self.level(torch.cat([turns.sin(), turns.cos()], dim=1))
        frames = nn.functional.interpolate(self.frames(mel), size=noisy.shape[1])
        x = self.into(noisy[:, None])
        total = torch.zeros_like(x)
        for block in self.blocks:
            x, skipped = block(x, frames, level)
            total = total + skipped
        return self.out(total / math.sqrt(len(self.blocks)))[:, 0]

    def attempt(self, pcm: Tensor) -> Attempt:
        """A random amount of noise, guessed."""
        mel = log_mel(pcm)[:, :, :-1]
        spread = _spread(mel, pcm.shape[1])
        most = math.prod(1 - beta for beta in FAST_BETAS)
        kept = (most + (1 - most) * torch.rand(len(pcm), device=pcm.device)).sqrt()
        noise = torch.randn_like(pcm)
        noisy = kept[:, None] * pcm / spread + (1 - kept.square()).sqrt()[:, None] * noise
        return Attempt({"noise": (self.noise_in(noisy, mel, kept) - noise).abs().mean()}, None)

    def resynthesise(self, pcm: Tensor, draws: torch.Generator) -> Tensor:
        """From nothing but noise, in as many steps as there are betas."""
        size = pcm.shape[1]
        mel = log_mel(nn.functional.pad(pcm, (0, -size % HOP)))[:, :, :-1]
        padded = size + -size % HOP
        x = torch.randn(len(pcm), padded, generator=draws, device=pcm.device)
        for step in reversed(range(len(FAST_BETAS))):
            beta = FAST_BETAS[step]
            kept = math.prod(1 - b for b in FAST_BETAS[: step + 1])
            level = torch.full((len(x),), math.sqrt(kept), device=x.device)
            x = x - beta / math.sqrt(1 - kept) * self.noise_in(x, mel, level)
            x = x / math.sqrt(1 - beta)
            if step:
                before = math.prod(1 - b for b in FAST_BETAS[:step])
                again = torch.randn(x.shape, generator=draws, device=x.device)
                x = x + math.sqrt((1 - before) / (1 - kept) * beta) * again
        return (x * _spread(mel, padded))[:, :size]


def _spread(mel: Tensor, size: int) -> Tensor:
    """The loudness of each sample's frame [B, size], so that pauses begin with little noise."""
    loud = mel.exp().square().mean(dim=1, keepdim=True).sqrt()
    relative = loud / loud.square().mean(dim=2, keepdim=True).sqrt().clamp(min=1e-5)
    return nn.functional.interpolate(relative.clamp(_SILENT, 2.0), size=size, mode="linear")[:, 0]
