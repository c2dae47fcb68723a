"""Terms that shape distances between systems: what may stand where multi-class N-pair stands.

Each is a plain function of unit vectors [B, E] and of the system of each row (negative: none), and
is zero where a batch cannot teach it anything.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from trainer.loss import NOWHERE, cross_entropy_known, mean_known


def ge2e_loss(embedding: Tensor, source: Tensor, scale: float) -> Tensor:
    """GE2E, softmax form (Wan et al., 2018): nearer to its own system's centroid than to others'.

    A row's own centroid is of the other rows of its system alone: a system's only row has none and
    teaches nothing. The published offset is left out: a softmax does not hear it.
    """
    same = _same(source)
    others = same & ~torch.eye(len(source), dtype=torch.bool, device=source.device)
    whole = _unit(same.to(embedding.dtype) @ embedding)  # [B, E] centroid of each row's system
    without = _unit(others.to(embedding.dtype) @ embedding)
    leads = (source >= 0) & ~same.tril(-1).any(dim=1)  # one column for each system
    own = scale * (embedding * without).sum(dim=1)
    rivals = (scale * embedding @ whole.T).masked_fill(same | ~leads, NOWHERE)
    losses = torch.logaddexp(own, rivals.logsumexp(dim=1)) - own
    return mean_known(losses, others.any(dim=1))


def aam_loss(
    embedding: Tensor, source: Tensor, proxies: Tensor, *, margin: float, scale: float
) -> Tensor:
    """AAM-softmax (Deng et al., 2019): cross-entropy with an angle of `margin` to spare.

    `proxies` [S, E]. At a margin of 0 it is the cross-entropy of scaled cosines.
    """
    cosine = _cosines(embedding, proxies)
    sine = (1 - cosine.square()).clamp(min=1e-7).sqrt()
    harder = cosine * math.cos(margin) - sine * math.sin(margin)
    # Beyond pi - margin the cosine of the sum rises again: there a line goes on falling.
    beyond = cosine - margin * math.sin(margin)
    harder = torch.where(cosine > -math.cos(margin), harder, beyond)
    own = torch.arange(len(proxies), device=source.device) == source[:, None]
    return cross_entropy_known(scale * torch.where(own, harder, cosine), source.clamp(min=-1))


def proxy_anchor_loss(
    embedding: Tensor, source: Tensor, proxies: Tensor, *, margin: float, scale: float
) -> Tensor:
    """Proxy-anchor (Kim et al., 2020): each system's proxy pulls its own rows, pushes others.

    The hardest rows pull and push most. Systems without a row in the batch only push.
    """
    cosine = _cosines(embedding, proxies)  # [B, S]
    named = (source >= 0)[:, None]
    own = torch.arange(len(proxies), device=source.device) == source[:, None]
    pull = (scale * (margin - cosine)).masked_fill(~own, NOWHERE).logsumexp(dim=0)  # [S]
    push = (scale * (cosine + margin)).masked_fill(own | ~named, NOWHERE).logsumexp(dim=0)
    present = own.any(dim=0)
    pulled = mean_known(functional.softplus(pull), present)
    return pulled + functional.softplus(push).mean() * named.any()


def supervised_contrast(
    embedding: Tensor, label: Tensor, source: Tensor, temperature: float
) -> Tensor:
    """Supervised contrast (Khosla et al., 2020) against everything in the batch, whatever the page.

    Positives are of the same class: human, or the same system. Rows without one teach nothing.
    """
    voiced = label >= 0
    human = label == 0
    alike = torch.where(human[:, None], human, _same(source) & ~human)
    itself = torch.eye(len(label), dtype=torch.bool, device=label.device)
    seen = voiced[:, None] & voiced & ~itself
    positive = alike & seen
    likeness = (embedding @ embedding.T / temperature).masked_fill(~seen, NOWHERE)
    each = torch.where(positive, likeness.logsumexp(dim=1, keepdim=True) - likeness, 0.0)
    count = positive.sum(dim=1)
    return mean_known(each.sum(dim=1) / count.clamp(min=1), count > 0)


def pushed_outward(stats: Tensor, owner: Tensor, way: Tensor) -> Tensor:
    """Latent-space augmentation (Yan et al., 2024): rows further from the mean of their class.

    [B, K], [B] class (negative: none), [B] how far, in distances from the mean -> [B, K]. A row
    that is alone in its class lies at its mean and stays where it is.
    """
    belongs = _same(owner).to(stats.dtype)
    mean = belongs @ stats / belongs.sum(dim=1, keepdim=True).clamp(min=1)
    return torch.where((owner >= 0)[:, None], stats + way[:, None] * (stats - mean), stats)


def _same(source: Tensor) -> Tensor:
    return (source[:, None] == source) & (source >= 0)


def _unit(x: Tensor) -> Tensor:
    return functional.normalize(x, dim=-1)


def _cosines(embedding: Tensor, proxies: Tensor) -> Tensor:
    return embedding @ _unit(proxies).T
