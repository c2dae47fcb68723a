"""The encoder with its heads on top, as it is trained; `export` splits it for serving."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from streamtrace.encoder.conformer import Encoded, EncoderConfig, StreamingConformer
from streamtrace.values import Float32s
from trainer.config import ModelConfig

VARIANCE_FLOOR = 1e-5  # as in streamtrace.tracing.accumulate


class Scores(NamedTuple):
    """What one member of the ensemble makes of pooled statistics."""

    embedding: Tensor  # [B, E] unit norm
    spoof: Tensor  # [B] log-odds-like
    source: Tensor  # [B, S]
    family: Tensor  # [B, F]


class MemberHeads(nn.Module):
    """Statistics [B, K] -> scores."""

    def __init__(
        self,
        statistics: int,
        embedding: int,
        *,
        dropout: float,
        scale: float,
        sources: int,
        families: int,
    ) -> None:
        super().__init__()
        # Running statistics only: in serving this is a fixed shift and scale.
        self.standard = nn.BatchNorm1d(statistics, affine=False, momentum=0.02)
        self.dropout = nn.Dropout(dropout)
        self.embed = nn.Linear(statistics, embedding)
        self.spoof = nn.Linear(embedding, 1)
        self.source = nn.Parameter(torch.randn(sources, embedding))
        self.family = nn.Parameter(torch.randn(families, embedding))
        self.scale = scale

    def forward(self, stats: Tensor) -> Scores:
        """[B, K] -> scores."""
        f = self.embed(self.dropout(self.standard(stats)))
        e = functional.normalize(f, dim=-1)
        return Scores(
            embedding=e,
            spoof=self.spoof(f).squeeze(-1),
            source=self.scale * e @ functional.normalize(self.source, dim=-1).T,
            family=self.scale * e @ functional.normalize(self.family, dim=-1).T,
        )

    def tensors(self) -> dict[str, Tensor]:
        """As `heads.safetensors` names them."""
        mean, variance = self.standard.running_mean, self.standard.running_var
        if mean is None or variance is None:
            raise ValueError("the standardisation has no running statistics")
        scale = torch.tensor([self.scale])
        return {
            "embed.mean": mean,
            "embed.scale": (variance + self.standard.eps).sqrt(),
            "embed.weight": self.embed.weight,
            "embed.bias": self.embed.bias,
            "spoof.weight": self.spoof.weight[0],
            "spoof.bias": self.spoof.bias,
            "source.weight": functional.normalize(self.source, dim=-1),
            "source.scale": scale,
            "family.weight": functional.normalize(self.family, dim=-1),
            "family.scale": scale,
        }


class TracingModel(nn.Module):
    """[B, T] audio -> frames -> pooled statistics -> scores of the learned member.

    What reads the signature behind the learned embedding is fitted apart, in `ensemble.py`: trained
    on one sum, the member that learns the training pages by heart would leave others nothing to do.
    """

    def __init__(
        self, encoder: EncoderConfig, model: ModelConfig, *, sources: int, families: int
    ) -> None:
        super().__init__()
        self.encoder = StreamingConformer(encoder)
        nn.init.constant_(self.encoder.activity_head.bias, 1.0)  # most frames of a clip are speech
        if not model.attentive:
            last = self.encoder.attention_head[-1]
            for parameter in last.parameters():
                nn.init.zeros_(parameter)
            self.encoder.attention_head.requires_grad_(False)
        self.cut = encoder.width
        self.learned = MemberHeads(
            2 * encoder.width,
            model.embedding,
            dropout=model.dropout,
            scale=model.source_scale,
            sources=sources,
            families=families,
        )

    def forward(self, pcm: Tensor) -> Encoded:
        """[B, T] -> frames [B, N, ...]."""
        return self.encoder(pcm)

    def heads(self, stats: Tensor) -> list[Scores]:
        """[B, 2D] -> the scores of each member that is trained with the encoder."""
        mean, deviation = stats.chunk(2, dim=-1)
        return [self.learned(torch.cat([mean[:, : self.cut], deviation[:, : self.cut]], dim=-1))]

    def head_tensors(self) -> dict[str, Float32s]:
        """The learned member's part of the bundle's `heads.safetensors`."""
        tensors = self.learned.tensors()
        return {k: v.detach().cpu().numpy().astype(np.float32) for k, v in tensors.items()}


def pool(frames: Encoded, usable: Tensor) -> Tensor:
    """Attentive statistics over usable frames: [B, N, D], mask [B, N] -> [B, 2D].

    Okabe et al. (2018), with speech activity as part of the weight, so that silence, ringing and
    music fade from the evidence without a hard cut that a gradient could not cross.
    """
    logits = frames.attention + functional.logsigmoid(frames.activity)
    weights = torch.softmax(logits.masked_fill(~usable, -1e4), dim=-1)[..., None]  # [B, N, 1]
    mean = (weights * frames.embedding).sum(1)
    second = (weights * frames.embedding**2).sum(1)
    return torch.cat([mean, (second - mean**2).clamp(min=VARIANCE_FLOOR).sqrt()], dim=-1)
