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
    """Statistics [B, K] -> scores; with `hidden` units, one layer of them first."""

    def __init__(
        self,
        statistics: int,
        embedding: int,
        *,
        hidden: int,
        dropout: float,
        scale: float,
        sources: int,
        families: int,
    ) -> None:
        super().__init__()
        # Running statistics only: in serving this is a fixed shift and scale.
        self.standard = nn.BatchNorm1d(statistics, affine=False, momentum=0.02)
        self.dropout = nn.Dropout(dropout)
        self.hidden = nn.Linear(statistics, hidden) if hidden else None
        self.embed = nn.Linear(hidden or statistics, embedding)
        self.spoof = nn.Linear(embedding, 1)
        self.source = nn.Parameter(torch.randn(sources, embedding))
        self.family = nn.Parameter(torch.randn(families, embedding))
        self.scale = scale

    def forward(self, stats: Tensor) -> Scores:
        """[B, K] -> scores."""
        x = self.dropout(self.standard(stats))
        if self.hidden is not None:
            x = self.dropout(functional.relu(self.hidden(x)))
        f = self.embed(x)
        e = functional.normalize(f, dim=-1)
        return Scores(
            embedding=e,
            spoof=self.spoof(f).squeeze(-1),
            source=self.scale * e @ functional.normalize(self.source, dim=-1).T,
            family=self.scale * e @ functional.normalize(self.family, dim=-1).T,
        )

    def tensors(self, prefix: str) -> dict[str, Tensor]:
        """This member's own tensors as `heads.safetensors` names them."""
        mean, variance = self.standard.running_mean, self.standard.running_var
        if mean is None or variance is None:
            raise ValueError("the standardisation has no running statistics")
        layers = {"embed": self.embed}
        if self.hidden is not None:
            layers["hidden"] = self.hidden
        return {
            f"{prefix}embed.mean": mean,
            f"{prefix}embed.scale": (variance + self.standard.eps).sqrt(),
            **{f"{prefix}{name}.weight": layer.weight for name, layer in layers.items()},
            **{f"{prefix}{name}.bias": layer.bias for name, layer in layers.items()},
            f"{prefix}spoof.weight": self.spoof.weight[0],
            f"{prefix}spoof.bias": self.spoof.bias,
        }


class TracingModel(nn.Module):
    """[B, T] audio -> frames -> pooled statistics -> scores of every member.

    The first member reads what the Conformer learned; the second, where the encoder has cepstra,
    reads those. Each has its own loss: trained on one sum, the member that learns the training
    pages by heart would leave the other nothing to do.
    """

    def __init__(
        self, encoder: EncoderConfig, model: ModelConfig, *, sources: int, families: int
    ) -> None:
        super().__init__()
        self.encoder = StreamingConformer(encoder)
        nn.init.constant_(self.encoder.activity_head.bias, 1.0)  # most frames of a clip are speech
        self.cut = encoder.width
        self.learned = MemberHeads(
            2 * encoder.width,
            model.embedding,
            hidden=0,
            dropout=model.dropout,
            scale=model.source_scale,
            sources=sources,
            families=families,
        )
        self.spectral = (
            MemberHeads(
                2 * encoder.cepstra_width,
                model.spectral_embedding,
                hidden=model.spectral_hidden,
                dropout=model.spectral_dropout,
                scale=model.source_scale,
                sources=sources,
                families=families,
            )
            if encoder.cepstra_width
            else None
        )

    def forward(self, pcm: Tensor) -> Encoded:
        """[B, T] -> frames [B, N, ...]."""
        return self.encoder(pcm)

    def heads(self, stats: Tensor) -> list[Scores]:
        """[B, 2D] -> the scores of each member."""
        mean, deviation = stats.chunk(2, dim=-1)
        learned = torch.cat([mean[:, : self.cut], deviation[:, : self.cut]], dim=-1)
        scores = [self.learned(learned)]
        if self.spectral is not None:
            fixed = torch.cat([mean[:, self.cut :], deviation[:, self.cut :]], dim=-1)
            # Detached: the weights of the pooling belong to the first member.
            scores.append(self.spectral(fixed.detach()))
        return scores

    def head_tensors(self) -> dict[str, Float32s]:
        """All heads as the bundle's `heads.safetensors` names them.

        A class vector of the ensemble is the members' side by side, at equal length.
        """
        members = [self.learned] + ([self.spectral] if self.spectral is not None else [])
        share = len(members) ** -0.5

        def joined(vectors: list[Tensor]) -> Tensor:
            return share * torch.cat([functional.normalize(v, dim=-1) for v in vectors], dim=-1)

        scale = torch.tensor([self.learned.scale])
        tensors = {
            **self.learned.tensors(""),
            **(self.spectral.tensors("spectral.") if self.spectral is not None else {}),
            "source.weight": joined([m.source for m in members]),
            "source.scale": scale,
            "family.weight": joined([m.family for m in members]),
            "family.scale": scale,
        }
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
