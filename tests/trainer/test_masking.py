"""Masks over bands and times: as many and as wide as told, in training only."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trainer.config import MaskConfig
from trainer.masking import hidden, masked


class Reads(nn.Module):
    """Keeps what it is given, as the first layer of a network would read it."""

    def forward(self, features: Tensor, tail: Tensor) -> tuple[Tensor, Tensor]:
        return features, tail


def test_stripes_are_as_many_and_as_wide_as_told() -> None:
    torch.manual_seed(0)
    config = MaskConfig(bands=2, widest_band=10, times_per_s=1.0, longest_ms=200)
    shares: list[float] = []
    for _ in range(40):
        mask = hidden(torch.zeros(4, 300, 80), config)
        over_bands = mask.all(dim=1)
        over_times = mask.all(dim=2)
        assert torch.equal(mask, over_bands[:, None, :] | over_times[:, :, None])
        assert (over_bands.sum(dim=1) <= 20).all()
        assert (over_times.sum(dim=1) <= 3 * 20).all()
        shares.append(float(over_bands.float().mean()))
    # Two stripes of 5 bands on average, a little less for those that meet.
    assert 0.1 < sum(shares) / len(shares) < 0.125


def test_only_training_hides_and_only_within_its_context() -> None:
    reads = Reads()
    features, tail = torch.ones(2, 100, 80), torch.ones(2, 1, 80)
    config = MaskConfig(bands=3, widest_band=20)
    torch.manual_seed(0)
    with masked(reads, config):
        seen, seen_tail = reads(features, tail)
        assert 0 < float((seen == 0).float().mean()) < 0.75
        assert torch.equal(seen_tail, tail)
        assert torch.equal(features, torch.ones(2, 100, 80))  # others still read all of them
        reads.eval()
        assert torch.equal(reads(features, tail)[0], features)
    reads.train()
    assert torch.equal(reads(features, tail)[0], features)


def test_nothing_is_hidden_by_default() -> None:
    reads = Reads()
    features = torch.ones(2, 100, 80)
    with masked(reads, MaskConfig()):
        assert torch.equal(reads(features, features)[0], features)
