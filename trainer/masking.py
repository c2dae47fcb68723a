"""Bands and times hidden from the network while it trains (SpecAugment, Park et al., 2019)."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from trainer.config import MaskConfig

SHIFT_MS = 10  # between feature frames


@contextmanager
def masked(subsampling: nn.Module, config: MaskConfig) -> Generator[None]:
    """Within this context, hide parts of what `subsampling` reads, in training mode only.

    It hangs on the first layer that learns. What reads the features beside it (fixed cepstra, whose
    statistics would see the hole and not what it hides) gets all of them.
    """

    def hide(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        if not module.training:
            return None
        features, *rest = inputs
        return (features.masked_fill(hidden(features, config), 0.0), *rest)

    if not config.bands and not config.times_per_s:
        yield
        return
    hook = subsampling.register_forward_pre_hook(hide)
    try:
        yield
    finally:
        hook.remove()


def hidden(features: Tensor, config: MaskConfig) -> Tensor:
    """Which of [B, T, F] features to hide; draws come from torch's CPU generator."""
    batch, times, bands = features.shape
    longest = max(1, config.longest_ms // SHIFT_MS)
    count = round(config.times_per_s * times * SHIFT_MS / 1000)
    over_bands = _stripes(batch, bands, config.bands, config.widest_band)
    over_times = _stripes(batch, times, count, longest)
    return (over_times[:, :, None] | over_bands[:, None, :]).to(features.device)


def _stripes(batch: int, length: int, count: int, widest: int) -> Tensor:
    """[B, length] bool: in each row `count` stripes of 0 to `widest` places, anywhere."""
    width = torch.randint(0, min(widest, length) + 1, (batch, count, 1))
    first = (torch.rand(batch, count, 1) * (length - width + 1)).long()
    place = torch.arange(length)
    return ((place >= first) & (place < first + width)).any(dim=1)
