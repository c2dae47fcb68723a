"""The terms of the loss against their definitions."""

from __future__ import annotations

import math

import torch
from torch.nn import functional

from trainer.config import LossConfig
from trainer.loss import call_loss, cross_entropy_known, n_pair_loss, weighted
from trainer.model import Scores


def test_n_pair_is_the_published_sum() -> None:
    torch.manual_seed(0)
    e = functional.normalize(torch.randn(6, 5), dim=-1)
    source = torch.tensor([3, 1, 3, 8, 1, 8])
    anchors, positives = e[[1, 0, 3]], e[[4, 2, 5]]  # sources 1, 3, 8
    want = 0.0
    for i in range(3):
        own = float(anchors[i] @ positives[i])
        others = sum(
            math.exp(10 * (float(anchors[i] @ positives[j]) - own)) for j in range(3) if j != i
        )
        want += math.log1p(others) / 3
    assert math.isclose(float(n_pair_loss(e, source, 10.0)), want, rel_tol=1e-5)


def test_n_pair_needs_two_sources_with_two_clips() -> None:
    e = functional.normalize(torch.randn(4, 5), dim=-1).requires_grad_()
    for source in ([0, 1, 2, 3], [0, 0, -1, -1], [-1, -1, -1, -1]):
        assert float(n_pair_loss(e, torch.tensor(source), 10.0).detach()) == 0.0


def test_rows_without_a_target_teach_nothing() -> None:
    logits = torch.randn(3, 4)
    target = torch.tensor([2, -1, -1])
    assert torch.isclose(
        cross_entropy_known(logits, target), functional.cross_entropy(logits[:1], target[:1])
    )
    assert float(cross_entropy_known(logits, torch.full((3,), -1))) == 0.0


def test_clips_without_speech_take_no_part_in_detection() -> None:
    scores = Scores(
        embedding=functional.normalize(torch.randn(3, 4), dim=-1),
        spoof=torch.tensor([2.0, -1.0, 1e4]),
        source=torch.randn(3, 2),
        family=torch.randn(3, 2),
    )
    none = torch.full((3,), -1)
    terms = call_loss(scores, torch.tensor([1, 0, -1]), none, none, LossConfig())
    want = (functional.softplus(torch.tensor(-2.0)) + functional.softplus(torch.tensor(-1.0))) / 2
    assert torch.isclose(terms["spoof"], want)


def test_a_weight_of_zero_switches_a_term_off() -> None:
    terms = {"spoof": torch.tensor(2.0), "source": torch.tensor(5.0)}
    assert float(weighted(terms, LossConfig(spoof=1.0, source=0.0))) == 2.0
