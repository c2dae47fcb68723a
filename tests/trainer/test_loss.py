"""The terms of the loss against their definitions, written out as plain sums."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from trainer import loss


def units(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return functional.normalize(torch.randn(*shape, generator=generator), dim=-1)


def ints(*values: int) -> Tensor:
    return torch.tensor(values)


def test_n_pair_is_the_published_sum() -> None:
    e = units(6, 5)
    source = ints(3, 1, 3, 8, 1, 8)
    anchors, positives = e[[1, 0, 3]], e[[4, 2, 5]]  # sources 1, 3, 8
    want = 0.0
    for i in range(3):
        own = float(anchors[i] @ positives[i])
        others = sum(
            math.exp(10 * (float(anchors[i] @ positives[j]) - own)) for j in range(3) if j != i
        )
        want += math.log1p(others) / 3
    assert math.isclose(float(loss.n_pair_loss(e, source, 10.0)), want, rel_tol=1e-5)
    # Rows without a source, and a third of one that has its pair, change nothing.
    more = torch.cat([e, units(2, 5, seed=1)])
    said = loss.n_pair_loss(more, torch.cat([source, ints(-1, 8)]), 10.0)
    assert math.isclose(float(said), want, rel_tol=1e-5)


@pytest.mark.parametrize("source", [(0, 1, 2, 3), (0, 0, -1, -1), (-1, -1, -1, -1)])
def test_n_pair_needs_two_sources_with_two_clips(source: tuple[int, ...]) -> None:
    e = units(4, 5).requires_grad_()
    value = loss.n_pair_loss(e, torch.tensor(source), 10.0)
    value.backward()
    assert float(value.detach()) == pytest.approx(0.0, abs=1e-6)
    assert e.grad is not None
    assert torch.isfinite(e.grad).all()


def test_rows_without_a_target_teach_nothing() -> None:
    logits = torch.randn(3, 4, requires_grad=True)
    target = ints(2, -1, -1)
    said = loss.cross_entropy_known(logits, target)
    assert torch.isclose(said, functional.cross_entropy(logits[:1], target[:1]))
    (gradient,) = torch.autograd.grad(said, logits)
    assert not gradient[1:].any()
    assert float(loss.cross_entropy_known(logits.detach(), torch.full((3,), -1))) == 0.0


def contrast_by_hand(
    e: Tensor, label: Tensor, source: Tensor, chain: Tensor, temperature: float
) -> float:
    said: list[float] = []
    rows = range(len(e))

    def is_alike(i: int, j: int) -> bool:
        if label[i] == 0:
            return bool(label[j] == 0)
        return bool(label[j] == 1 and source[i] == source[j] >= 0)

    for i in rows:
        if label[i] < 0:
            continue
        positives = [j for j in rows if j != i and label[j] >= 0 and is_alike(i, j)]
        negatives = [
            j for j in rows if label[j] >= 0 and label[j] != label[i] and chain[j] == chain[i] >= 0
        ]
        if not positives or not negatives:
            continue
        against = sum(math.exp(float(e[i] @ e[j]) / temperature) for j in negatives)
        each = []
        for j in positives:
            own = math.exp(float(e[i] @ e[j]) / temperature)
            each.append(-math.log(own / (own + against)))
        said.append(sum(each) / len(each))
    return sum(said) / len(said) if said else 0.0


@pytest.mark.parametrize("seed", range(5))
def test_contrast_is_a_double_loop_over_pairs(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    label = torch.randint(-1, 2, (16,), generator=generator)
    source = torch.where(label == 1, torch.randint(-1, 3, (16,), generator=generator), -1)
    chain = torch.randint(-1, 4, (16,), generator=generator)
    e = units(16, 6, seed=seed)
    said = loss.pair_contrast(e, label, source, chain, 0.2)
    assert float(said) == pytest.approx(contrast_by_hand(e, label, source, chain, 0.2), rel=1e-4)


def test_contrast_pushes_apart_only_what_shares_a_chain() -> None:
    # Two humans and two clips of a source; one human and one clip share chain 0.
    label, source = ints(0, 0, 1, 1), ints(-1, -1, 4, 4)
    chain = ints(0, 1, 0, 2)
    e = units(4, 6).requires_grad_()
    loss.pair_contrast(e, label, source, chain, 0.5).backward()
    assert e.grad is not None
    step = e.detach() - 0.1 * e.grad
    before, after = e.detach() @ e.detach().T, step @ step.T
    assert after[0, 2] < before[0, 2]  # the pair
    # Rows 1 and 3 have no negative: they move only as positives of rows 0 and 2.
    alone = loss.pair_contrast(
        e.detach()[[1, 3]], label[[1, 3]], source[[1, 3]], chain[[1, 3]], 0.5
    )
    assert float(alone) == 0.0


def test_contrast_without_partners_is_zero_and_has_a_gradient() -> None:
    e = units(3, 4).requires_grad_()
    value = loss.pair_contrast(e, ints(0, 1, -1), ints(-1, 2, -1), ints(0, 1, 0), 0.1)
    value.backward()
    assert float(value.detach()) == 0.0
    assert e.grad is not None
    assert not e.grad.any()


def test_one_class_softmax_is_the_published_mean() -> None:
    e, centre = units(5, 4), torch.tensor([0.0, 3.0, 0.0, 0.0])
    label = ints(0, 1, -1, 1, 0)
    want = 0.0
    for i in (0, 1, 3, 4):
        cosine = float(e[i, 1])
        wrong = 0.9 - cosine if label[i] == 0 else cosine - 0.2
        want += math.log1p(math.exp(20 * wrong)) / 4
    assert float(loss.oc_softmax_loss(e, label, centre)) == pytest.approx(want, rel=1e-5)
    assert float(loss.oc_softmax_loss(e, torch.full((5,), -1), centre)) == 0.0


def test_group_robust_weighs_groups_and_not_rows() -> None:
    losses = torch.tensor([1.0, 3.0, 10.0, 7.0, 99.0])
    group = ints(0, 0, 2, 4, -1)
    weights = torch.tensor([0.1, 0.4, 0.3, 0.1, 0.1])
    # Groups 0, 2 and 4 are there, with means 2, 10 and 7 and weights 0.2, 0.6 and 0.2 of their sum.
    said = loss.group_robust_loss(losses, group, weights)
    assert float(said) == pytest.approx(0.2 * 2 + 0.6 * 10 + 0.2 * 7)
    assert float(loss.group_robust_loss(losses, torch.full((5,), -1), weights)) == 0.0


def test_groups_with_a_high_loss_gain_weight() -> None:
    losses, group = torch.tensor([1.0, 3.0, 10.0]), ints(0, 0, 2)
    sums, counts = loss.group_sums(losses, group, 3)
    assert sums.tolist() == [4.0, 0.0, 10.0]
    assert counts.tolist() == [2.0, 0.0, 1.0]
    now = loss.worse_groups(torch.full((3,), 1 / 3), sums, counts, 0.1)
    raised = [math.exp(0.1 * 2), 1.0, math.exp(0.1 * 10)]
    assert now.tolist() == pytest.approx([x / sum(raised) for x in raised])


def test_mixed_is_linear_and_a_mixed_label_is_a_mixed_loss() -> None:
    logits, share = torch.tensor([0.3, -1.2]), torch.tensor([0.25, 0.9])
    one, other = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    by_label = loss.spoof_losses(logits, loss.mixed(one, other, share))
    by_loss = loss.mixed(loss.spoof_losses(logits, one), loss.spoof_losses(logits, other), share)
    torch.testing.assert_close(by_label, by_loss)


def test_a_reversed_gradient_unteaches_the_page_and_leaves_the_guess_to_its_critic() -> None:
    torch.manual_seed(0)
    features = torch.randn(8, 4)
    page = torch.arange(8) % 3
    embed, critic = torch.nn.Linear(4, 6), torch.nn.Linear(6, 3)

    def guess() -> Tensor:
        return functional.cross_entropy(critic(embed(features)), page)

    straight = torch.autograd.grad(guess(), [embed.weight, critic.weight])
    embedding = embed(features)
    turned = functional.cross_entropy(critic(loss.reverse_gradient(embedding, 0.3)), page)
    reversed_ = torch.autograd.grad(turned, [embed.weight, critic.weight])
    assert torch.equal(turned, guess())  # the value is the critic's own
    torch.testing.assert_close(reversed_[0], -0.3 * straight[0])
    torch.testing.assert_close(reversed_[1], straight[1])
    before = guess().item()
    with torch.no_grad():
        embed.weight -= 0.1 * reversed_[0]
    assert guess().item() > before  # the page is harder to guess


def test_the_reversal_is_raised_as_published() -> None:
    assert loss.reversal_ramp(0, 100) == 0.0
    for step in (1, 30, 100):
        want = 2 / (1 + math.exp(-10 * step / 100)) - 1
        assert loss.reversal_ramp(step, 100) == pytest.approx(want)
    assert loss.reversal_ramp(10_000, 100) == loss.reversal_ramp(100, 100)
    assert loss.reversal_ramp(5, 0) == pytest.approx(1.0, abs=1e-3)
