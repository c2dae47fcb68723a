"""What judges a vocoder in training: patches of spectrograms, and samples folded by periods."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu
from torch.nn.utils.parametrizations import weight_norm

from trainer.vocoders.recipe import CriticConfig
from trainer.vocoders.spectra import complex_spectrogram

RESOLUTIONS = ((512, 128), (1024, 256))
PERIODS = (2, 3, 5, 7)


class Opinion(NamedTuple):
    """What one critic says of a batch."""

    score: Tensor  # the higher, the more human; one for every patch
    seen: list[Tensor]  # what its layers made of it


class SpectrogramCritic(nn.Module):
    """Looks at patches of one complex spectrogram; strides over frequency keep it cheap."""

    def __init__(self, width: int, length: int, hop: int) -> None:
        super().__init__()
        self.length, self.hop = length, hop
        self.layers = nn.ModuleList(
            [
                weight_norm(nn.Conv2d(2, width, (9, 3), (4, 1), (4, 1))),
                weight_norm(nn.Conv2d(width, width, (9, 3), (4, 1), (4, 1))),
                weight_norm(nn.Conv2d(width, width, (5, 3), (2, 1), (2, 1))),
            ]
        )
        self.score = weight_norm(nn.Conv2d(width, 1, 3, padding=1))

    def forward(self, pcm: Tensor) -> Opinion:
        """[B, T] -> patches."""
        spectra = complex_spectrogram(pcm, self.length, self.hop)
        size = (spectra.real.square() + spectra.imag.square() + 1e-6).sqrt()
        # Compressed, or loud harmonics would be all there is.
        x = torch.stack([spectra.real, spectra.imag], dim=1) / size.sqrt()[:, None]
        return _opinion(self.layers, self.score, x)


class PeriodCritic(nn.Module):
    """Looks at every p-th sample."""

    def __init__(self, width: int, period: int) -> None:
        super().__init__()
        self.period = period
        widths = (1, width, 2 * width, 4 * width)
        self.layers = nn.ModuleList(
            weight_norm(nn.Conv2d(a, b, (5, 1), (3, 1), (2, 0))) for a, b in pairwise(widths)
        )
        self.score = weight_norm(nn.Conv2d(widths[-1], 1, (3, 1), padding=(1, 0)))

    def forward(self, pcm: Tensor) -> Opinion:
        """[B, T] -> patches."""
        usable = pcm[:, : pcm.shape[1] // self.period * self.period]
        return _opinion(self.layers, self.score, usable.reshape(len(pcm), 1, -1, self.period))


class Judges(nn.Module):
    """All critics."""

    def __init__(self, config: CriticConfig) -> None:
        super().__init__()
        self.critics = nn.ModuleList()
        if config.spectrogram_width:
            self.critics.extend(
                SpectrogramCritic(config.spectrogram_width, *at) for at in RESOLUTIONS
            )
        if config.period_width:
            self.critics.extend(PeriodCritic(config.period_width, p) for p in PERIODS)

    def forward(self, pcm: Tensor) -> list[Opinion]:
        """[B, T] -> what each critic says."""
        return [critic(pcm) for critic in self.critics]


def telling_loss(human: list[Opinion], made: list[Opinion]) -> Tensor:
    """What the critics learn by: 1 for human patches, 0 for made ones."""
    terms = [
        (a.score - 1).square().mean() + b.score.square().mean()
        for a, b in zip(human, made, strict=True)
    ]
    return torch.stack(terms).mean()


def passing_loss(made: list[Opinion]) -> Tensor:
    """What the generator learns by: made patches that count as human."""
    return torch.stack([(opinion.score - 1).square().mean() for opinion in made]).mean()


def likeness_loss(human: list[Opinion], made: list[Opinion]) -> Tensor:
    """How differently the critics' layers see both."""
    terms = [
        (x.detach() - y).abs().mean() / x.detach().abs().mean().clamp(min=1e-4)
        for a, b in zip(human, made, strict=True)
        for x, y in zip(a.seen, b.seen, strict=True)
    ]
    return torch.stack(terms).mean()


def _opinion(layers: nn.ModuleList, score: nn.Module, x: Tensor) -> Opinion:
    seen: list[Tensor] = []
    for layer in layers:
        x = leaky_relu(layer(x), 0.1)
        seen.append(x)
    return Opinion(score(x), seen)
