"""The sign that the public baseline has wrong, and a bank that holds clips alone."""

from __future__ import annotations

import numpy as np
import torch

from trainer.baselines.drawing import last_frames, tiled
from trainer.baselines.novel_similarity import bank_of, likeness


def some(count: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    features = torch.randn(count, 8, generator=draw) + 5 * torch.eye(8)[0]
    return features, torch.randn(count, 5, generator=draw) + 3


def test_what_the_bank_holds_scores_above_what_it_never_met() -> None:
    bank = bank_of(*some(40))
    known = likeness(*some(40, seed=1), bank)
    features, logits = some(40, seed=2)
    strange = features - 10 * torch.eye(8)[0]
    assert known.min() > likeness(strange, logits, bank).max()
    unsure = likeness(features, logits - 2, bank)  # the same vectors, less sure of any system
    assert (unsure < likeness(features, logits, bank)).all()


def test_one_vector_says_what_the_mean_over_the_whole_bank_says() -> None:
    features, logits = some(37)
    mine, said = some(5, seed=3)
    c = logits.exp().sum(dim=1).log()
    rows = c[:, None] * torch.nn.functional.normalize(features, dim=1)
    unit = torch.nn.functional.normalize(mine, dim=1)
    expected = said.exp().sum(dim=1).log() * (unit @ rows.mT).mean(dim=1)
    torch.testing.assert_close(likeness(mine, said, bank_of(features, logits)), expected)


def test_short_clips_are_said_again_and_never_padded() -> None:
    frames = np.arange(1, 13, dtype=np.float32).reshape(6, 2)
    filled = tiled(frames, 15)
    assert (filled > 0).all()
    np.testing.assert_array_equal(filled[6:12], frames)
    np.testing.assert_array_equal(last_frames(frames, 4), frames[2:])
