"""A residual-quantised codec as last stage: strided convolutions down, codes, and up again."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trainer.vocoders.generator import Attempt, Generator
from trainer.vocoders.recipe import NetworkConfig

STRIDES = (2, 4, 4, 8)
_WIDEST = 6  # times the first width
_LATENT = 64
_CODE = 8  # few dimensions and unit length: hardly a code is never used


class Unit(nn.Module):
    """A residual unit."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.path = nn.Sequential(
            nn.ELU(),
            nn.Conv1d(width, width // 2, 3, dilation=2, padding=2),
            nn.ELU(),
            nn.Conv1d(width // 2, width, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, T] -> [B, C, T]."""
        return x + self.path(x)


class Quantiser(nn.Module):
    """One codebook: the nearest code by angle, with the gradient passed straight through."""

    def __init__(self, codes: int) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(_LATENT, _CODE), nn.Linear(_CODE, _LATENT)
        self.codes = nn.Parameter(torch.randn(codes, _CODE))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """[B, N, D] -> what the code says [B, N, D], its index [B, N], the loss."""
        small = nn.functional.normalize(self.down(x), dim=-1)
        book = nn.functional.normalize(self.codes, dim=-1)
        index = (small.detach() @ book.detach().T).argmax(dim=-1)
        chosen = book[index]
        loss = (chosen - small.detach()).square().mean() + 0.25 * (
            chosen.detach() - small
        ).square().mean()
        return self.up(small + (chosen - small).detach()), index, loss


class Codec(Generator):
    """From 16,000 samples to 62.5 times `codebooks` codes a second, and back."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        first = config.width
        widths = [min(first * 2**n, first * _WIDEST) for n in range(len(STRIDES) + 1)]
        down: list[nn.Module] = [nn.Conv1d(1, first, 7, padding=3)]
        up: list[nn.Module] = [nn.Conv1d(_LATENT, widths[-1], 7, padding=3)]
        for wide, narrow, stride in zip(widths[1:], widths[:-1], STRIDES, strict=True):
            half = stride // 2
            down += [Unit(narrow), nn.ELU(), nn.Conv1d(narrow, wide, 2 * stride, stride, half)]
        for wide, narrow, stride in reversed(
            list(zip(widths[1:], widths[:-1], STRIDES, strict=True))
        ):
            half = stride // 2
            up += [nn.ELU(), nn.ConvTranspose1d(wide, narrow, 2 * stride, stride, half)]
            up += [Unit(narrow)]
        self.encoder = nn.Sequential(*down, nn.ELU(), nn.Conv1d(widths[-1], _LATENT, 3, padding=1))
        self.decoder = nn.Sequential(*up, nn.ELU(), nn.Conv1d(first, 1, 7, padding=3))
        self.quantisers = nn.ModuleList(Quantiser(config.codes) for _ in range(config.codebooks))

    def coded(self, pcm: Tensor, used: int) -> tuple[Tensor, Tensor]:
        """Through the first `used` codebooks: [B, T] -> [B, T] and the quantisers' loss."""
        left = self.encoder(pcm[:, None]).transpose(1, 2)
        total = torch.zeros_like(left)
        loss = pcm.new_zeros(())
        for quantiser in self.quantisers[:used]:
            said, _, term = quantiser(left - total)
            total = total + said
            loss = loss + term
        return self.decoder(total.transpose(1, 2))[:, 0], loss

    def attempt(self, pcm: Tensor) -> Attempt:
        """A random number of codebooks, so that one network codes at many rates."""
        used = 1 + int(torch.randint(len(self.quantisers), ()))
        made, loss = self.coded(pcm, used)
        return Attempt({"codes": loss, "samples": 10 * (made - pcm).abs().mean()}, made)

    def resynthesise(self, pcm: Tensor, draws: torch.Generator) -> Tensor:
        """Half of the codebooks or more: fewer are rarely served."""
        size = pcm.shape[1]
        most = len(self.quantisers)
        few = (most + 1) // 2
        used = few + int(torch.randint(most - few + 1, (), generator=draws, device=draws.device))
        return self.coded(nn.functional.pad(pcm, (0, -size % 256)), used)[0][:, :size]
