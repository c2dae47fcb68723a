"""The terms of the loss, each a plain function of scores and labels."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from trainer.config import LossConfig
from trainer.model import Scores


def n_pair_loss(embedding: Tensor, source: Tensor, scale: float) -> Tensor:
    """Multi-class N-pair (Sohn, 2016) on unit vectors: one anchor-positive pair a source.

    [B, E], [B] (negative: no source) -> scalar. With N pairs it is the cross-entropy over the
    N x N matrix of anchor-positive products; fewer than two pairs teach nothing and give zero.
    """
    anchors: list[int] = []
    positives: list[int] = []
    for name in torch.unique(source[source >= 0]).tolist():
        rows = torch.nonzero(source == name).flatten().tolist()
        if len(rows) >= 2:
            anchors.append(rows[0])
            positives.append(rows[1])
    if len(anchors) < 2:
        return embedding.sum() * 0.0
    products = scale * embedding[anchors] @ embedding[positives].T  # [N, N]
    own = torch.arange(len(anchors), device=embedding.device)
    return functional.cross_entropy(products, own)


def cross_entropy_known(logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy over the rows that have a target; zero where none has."""
    known = target >= 0
    if not bool(known.any()):
        return logits.sum() * 0.0
    return functional.cross_entropy(logits[known], target[known])


def call_loss(
    scores: Scores, label: Tensor, source: Tensor, family: Tensor, weights: LossConfig
) -> dict[str, Tensor]:
    """The call-level terms, unweighted; rows with label -1 (no speech at all) take no part."""
    voiced = label >= 0
    spoof = functional.binary_cross_entropy_with_logits(
        scores.spoof[voiced], label[voiced].to(scores.spoof.dtype)
    )
    return {
        "spoof": spoof,
        "source": cross_entropy_known(scores.source, source),
        "family": cross_entropy_known(scores.family, family),
        "n_pair": n_pair_loss(scores.embedding, source, weights.n_pair_scale),
    }


def weighted(terms: dict[str, Tensor], weights: LossConfig) -> Tensor:
    """The sum of the terms that are switched on."""
    return sum(
        (getattr(weights, name) * value for name, value in terms.items()),
        start=torch.zeros((), device=next(iter(terms.values())).device),
    )
