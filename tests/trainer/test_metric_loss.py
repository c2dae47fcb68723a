"""Terms between systems against their definitions, written out the slow way."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from trainer.metric_loss import (
    aam_loss,
    ge2e_loss,
    proxy_anchor_loss,
    pushed_outward,
    supervised_contrast,
)

SOURCE = torch.tensor([0, 0, 0, 1, 1, 2, -1, -1])
LABEL = torch.tensor([1, 1, 1, 1, 1, 1, 0, 0])


@pytest.fixture
def embedding() -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return functional.normalize(torch.randn(8, 6, generator=generator), dim=-1)


@pytest.fixture
def proxies() -> Tensor:
    return torch.randn(4, 6, generator=torch.Generator().manual_seed(4))


def unit(x: Tensor) -> Tensor:
    return functional.normalize(x, dim=-1)


def test_ge2e_leaves_the_row_out_of_its_own_centroid(embedding: Tensor) -> None:
    losses = list[Tensor]()
    for i in range(5):  # the only row of system 2 has no centroid of its own
        logits = list[Tensor]()
        for system in range(3):
            mine = (system == SOURCE) & (torch.arange(8) != i)
            logits.append(5.0 * embedding[i] @ unit(embedding[mine].sum(dim=0)))
        losses.append(functional.cross_entropy(torch.stack(logits), SOURCE[i]))
    expected = torch.stack(losses).mean()
    torch.testing.assert_close(ge2e_loss(embedding, SOURCE, 5.0), expected)


def test_aam_adds_an_angle_and_without_one_is_plain_cross_entropy(
    embedding: Tensor, proxies: Tensor
) -> None:
    cosine = embedding @ unit(proxies).T
    plain = functional.cross_entropy(8.0 * cosine[:6], SOURCE[:6])
    found = aam_loss(embedding, SOURCE, proxies, margin=0.0, scale=8.0)
    torch.testing.assert_close(found, plain)

    moved = cosine[:6].clone()
    for i in range(6):
        angle = math.acos(float(cosine[i, SOURCE[i]]))
        moved[i, SOURCE[i]] = math.cos(angle + 0.3)
    found = aam_loss(embedding, SOURCE, proxies, margin=0.3, scale=8.0)
    torch.testing.assert_close(found, functional.cross_entropy(8.0 * moved, SOURCE[:6]))


def test_aam_goes_on_pulling_from_the_far_side() -> None:
    proxies = torch.tensor([[1.0, 0.0]])
    angles = torch.linspace(2.5, 3.1, 7)
    around = torch.stack([angles.cos(), angles.sin()], dim=1)
    losses = [
        aam_loss(
            row[None], torch.tensor([0]), torch.cat([proxies, -proxies]), margin=0.5, scale=4.0
        )
        for row in around
    ]
    assert all(a < b for a, b in itertools.pairwise(losses))


def test_proxy_anchor_is_its_formula(embedding: Tensor, proxies: Tensor) -> None:
    cosine = embedding @ unit(proxies).T
    pull = torch.zeros(())
    push = torch.zeros(())
    for system in range(4):
        own = system == SOURCE
        other = (SOURCE >= 0) & ~own
        if own.any():
            pull = pull + torch.log1p(torch.exp(-8 * (cosine[own, system] - 0.1)).sum()) / 3
        push = push + torch.log1p(torch.exp(8 * (cosine[other, system] + 0.1)).sum()) / 4
    found = proxy_anchor_loss(embedding, SOURCE, proxies, margin=0.1, scale=8.0)
    torch.testing.assert_close(found, pull + push)


def test_supervised_contrast_is_its_formula(embedding: Tensor) -> None:
    likeness = embedding @ embedding.T / 0.2
    classes = torch.where(LABEL == 0, 9, SOURCE)
    losses = list[Tensor]()
    for i in range(8):
        others = [j for j in range(8) if j != i]
        positives = [j for j in others if classes[j] == classes[i]]
        if not positives:
            continue
        below = torch.logsumexp(likeness[i, others], dim=0)
        losses.append(torch.stack([below - likeness[i, j] for j in positives]).mean())
    found = supervised_contrast(embedding, LABEL, SOURCE, 0.2)
    torch.testing.assert_close(found, torch.stack(losses).mean())


def test_rows_go_outward_from_their_class_and_nowhere_else() -> None:
    stats = torch.tensor([[1.0, 0.0], [3.0, 0.0], [7.0, 7.0], [4.0, 4.0]])
    owner = torch.tensor([0, 0, 1, -1])
    found = pushed_outward(stats, owner, torch.full((4,), 0.5))
    expected = torch.tensor([[0.5, 0.0], [3.5, 0.0], [7.0, 7.0], [4.0, 4.0]])
    torch.testing.assert_close(found, expected)


def test_what_a_batch_cannot_teach_is_zero_with_a_gradient(proxies: Tensor) -> None:
    alone = unit(torch.randn(3, 6, requires_grad=True))
    nothing = torch.full((3,), -1)
    proxies.requires_grad_()
    for value in (
        ge2e_loss(alone, nothing, 5.0),
        ge2e_loss(alone, torch.tensor([0, 1, 2]), 5.0),
        aam_loss(alone, nothing, proxies, margin=0.2, scale=8.0),
        proxy_anchor_loss(alone, nothing, proxies, margin=0.1, scale=8.0),
        supervised_contrast(alone, torch.tensor([-1, -1, 0]), nothing, 0.1),
    ):
        assert float(value.detach()) == 0
        value.backward(retain_graph=True)  # pyright: ignore[reportUnknownMemberType]
