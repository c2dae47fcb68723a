"""The backbone that fits in seconds: one hidden layer on statistics, then the model's own heads."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from streamtrace.tracing.ensemble import MOST_DEVIATIONS
from trainer.ablation.plan import NetworkConfig
from trainer.model import MemberHeads, Scores


class SignatureNetwork(nn.Module):
    """[B, 2G] -> scores; it learns by the very terms that the Conformer learns by."""

    def __init__(
        self, mean: Tensor, scale: Tensor, config: NetworkConfig, *, sources: int, families: int
    ) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("spread", scale)
        self.mean: Tensor
        self.spread: Tensor
        self.input_dropout = config.input_dropout
        self.hidden = nn.Linear(len(mean), config.hidden)
        self.member = MemberHeads(
            config.hidden,
            config.embedding,
            dropout=config.dropout,
            scale=config.source_scale,
            sources=sources,
            families=families,
        )

    def heads(self, stats: Tensor) -> list[Scores]:
        """[B, 2G] -> the scores of the one member."""
        x = ((stats - self.mean) / self.spread).clamp(-MOST_DEVIATIONS, MOST_DEVIATIONS)
        x = functional.dropout(x, self.input_dropout, self.training)
        return [self.member(torch.relu(self.hidden(x)))]
