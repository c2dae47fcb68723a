"""Losses come as often and in such bursts as was asked for."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.channel.concealment import holes
from trainer.channel.loss import Loss, bursts, scattered


def runs(lost: np.ndarray) -> list[int]:
    return [behind - first for first, behind in holes(lost)]


def test_scattered_losses_come_one_by_one():
    lost = scattered(np.random.default_rng(1), 20_000, 0.05)
    assert lost.mean() == pytest.approx(0.05, abs=0.01)
    assert np.mean(runs(lost)) < 1.2


@pytest.mark.parametrize(("share", "burst"), [(0.05, 3.0), (0.2, 1.5), (0.1, 8.0)])
def test_bursts_have_their_share_and_length(share: float, burst: float):
    lost = bursts(np.random.default_rng(2), 60_000, share, burst)
    assert lost.mean() == pytest.approx(share, rel=0.15)
    assert np.mean(runs(lost)) == pytest.approx(burst, rel=0.1)


def test_a_loss_repeats_by_its_seed():
    for burst in (0.0, 2.0):
        once = Loss(0.3, burst, "own", seed=5).of(200)
        np.testing.assert_array_equal(once, Loss(0.3, burst, "own", seed=5).of(200))
        assert not np.array_equal(once, Loss(0.3, burst, "own", seed=6).of(200))
        assert Loss(0.3, burst, "own", seed=5).of(0).size == 0
        assert not Loss(0.0, burst, "own", seed=5).of(200).any()
    assert Loss(1.0, 0.0, "own", seed=5).of(200).all()
