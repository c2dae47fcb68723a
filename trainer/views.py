"""What of a crop is pooled: all of it, beginnings of it, and windows of it."""

from __future__ import annotations

import torch
from torch import Tensor

from streamtrace.values import FRAME_MS, STEP_FRAMES
from trainer.config import LossConfig

SHORTEST_FRAMES = 12  # 480 ms: the shortest random beginning


def views(usable: Tensor, config: LossConfig) -> list[tuple[float, Tensor]]:
    """Masks over [B, N] with the weight of each; the first is the whole crop, at weight one.

    Draws come from torch's CPU generator, which the loop seeds by the step.
    """
    found = [(1.0, usable)]
    if config.prefix:
        found.append((config.prefix, random_beginning(usable)))
    if config.window:
        frames = round(config.window_s * 1000) // FRAME_MS
        found.append((config.window, random_window(usable, frames)))
    if config.running:
        ends = step_ends(usable.shape[1], config.running_steps)
        found += [(config.running / len(ends), beginning(usable, end)) for end in ends]
    return found


def random_beginning(usable: Tensor) -> Tensor:
    """Each row's own beginning [B, N], of at least 480 ms."""
    batch, frames = usable.shape
    length = torch.randint(SHORTEST_FRAMES, max(SHORTEST_FRAMES + 1, frames), (batch, 1))
    return _kept(usable, _places(usable) < length.to(usable.device))


def random_window(usable: Tensor, frames: int) -> Tensor:
    """Each row's own window of so many frames [B, N], at its end where it is no longer.

    A window is drawn where the row has audio: behind its last usable frame there is only filling.
    """
    end = (usable * (_places(usable) + 1)).amax(dim=1, keepdim=True)  # [B, 1]
    room = (end - frames).clamp(min=0)
    at = (torch.rand(len(usable), 1).to(usable.device) * (room + 1)).long().clamp(max=room)
    places = _places(usable)
    return _kept(usable, (places >= at) & (places < at + frames))


def step_ends(frames: int, count: int) -> list[int]:
    """So many different ends of 240-ms steps, in frames; 0 stands for all of them."""
    steps = frames // STEP_FRAMES
    if count <= 0 or count >= steps:
        return [STEP_FRAMES * (i + 1) for i in range(steps)]
    chosen = torch.randperm(steps)[:count].sort().values
    return [STEP_FRAMES * (int(i) + 1) for i in chosen]


def beginning(usable: Tensor, end: int) -> Tensor:
    """What a call has said by frame `end` [B, N]."""
    return _kept(usable, _places(usable) < end)


def _places(usable: Tensor) -> Tensor:
    return torch.arange(usable.shape[1], device=usable.device)[None, :]


def _kept(usable: Tensor, wanted: Tensor) -> Tensor:
    """A view without usable frames would pool to noise; such a row is pooled whole instead."""
    view = usable & wanted
    return torch.where(view.any(dim=1, keepdim=True), view, usable)
