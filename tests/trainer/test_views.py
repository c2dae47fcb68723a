"""What of a crop is pooled."""

from __future__ import annotations

import torch

from trainer.config import LossConfig
from trainer.views import beginning, random_beginning, random_window, step_ends, views


def usable(*lengths: int, frames: int = 48) -> torch.Tensor:
    return torch.arange(frames)[None, :] < torch.tensor(lengths)[:, None]


def test_only_the_whole_crop_where_all_is_off() -> None:
    mask = usable(48, 20)
    ((weight, view),) = views(mask, LossConfig(prefix=0.0))
    assert weight == 1.0
    assert torch.equal(view, mask)


def test_each_switch_adds_its_views() -> None:
    config = LossConfig(prefix=0.5, window=0.3, window_s=0.96, running=0.8, running_steps=4)
    found = views(usable(48, 20), config)
    assert [weight for weight, _ in found] == [1.0, 0.5, 0.3, 0.2, 0.2, 0.2, 0.2]
    everything = views(usable(48, 20), LossConfig(prefix=0.0, running=0.8, running_steps=0))
    assert len(everything) == 1 + 48 // 6


def test_windows_lie_anywhere_in_the_audio_and_nowhere_else() -> None:
    torch.manual_seed(0)
    mask = usable(48, 30, 10)
    starts: set[int] = set()
    for _ in range(300):
        view = random_window(mask, 24)
        assert not (view & ~mask).any()
        assert view.sum(dim=1).tolist() == [24, 24, 10]
        first = view.int().argmax(dim=1)
        starts.add(int(first[0]))
        for row in range(3):  # in one piece
            assert view[row, first[row] :][: int(view[row].sum())].all()
    assert starts == set(range(25))


def test_beginnings_are_beginnings() -> None:
    torch.manual_seed(0)
    mask = usable(48, 30)
    for _ in range(50):
        view = random_beginning(mask)
        assert (view.sum(dim=1) >= 12).all()
        assert (view[:, 1:].int() <= view[:, :-1].int()).all()
    assert beginning(mask, 18).sum(dim=1).tolist() == [18, 18]


def test_a_view_without_usable_frames_is_the_whole_row() -> None:
    late = ~usable(24, frames=48)  # audio only from frame 24 on
    assert torch.equal(beginning(late, 12), late)


def test_step_ends_are_different_and_in_order() -> None:
    torch.manual_seed(0)
    assert step_ends(30, 0) == [6, 12, 18, 24, 30]
    assert step_ends(30, 9) == [6, 12, 18, 24, 30]
    for _ in range(20):
        ends = step_ends(48, 3)
        assert ends == sorted(set(ends))
        assert len(ends) == 3
        assert all(end % 6 == 0 and 6 <= end <= 48 for end in ends)


def test_the_same_seed_draws_the_same_views() -> None:
    config = LossConfig(prefix=0.5, window=0.3, window_s=0.96, running=0.8)
    mask = usable(48, 20, 33)
    torch.manual_seed(4)
    one = views(mask, config)
    torch.manual_seed(4)
    for (_, a), (_, b) in zip(one, views(mask, config), strict=True):
        assert torch.equal(a, b)
