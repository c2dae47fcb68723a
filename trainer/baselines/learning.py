"""The loop that every network here is trained in, and its weights kept as a stage."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn

from trainer.baselines.interface import Lesson
from trainer.baselines.kept import Array, kept
from trainer.progress import Progress

Network = TypeVar("Network", bound=nn.Module)


def learnt(
    lesson: Lesson,
    stage: str,
    make: Callable[[], Network],
    loss_of: Callable[[Network], Tensor],
    *,
    steps: int,
    rate: float,
) -> Network:
    """The network that `make` makes, after so many steps; or as an earlier run left it."""
    with torch.random.fork_rng():
        torch.manual_seed(lesson.seed)
        network = make()

        def train() -> dict[str, Array]:
            _train(network, loss_of, steps, rate, f"{stage} {lesson.seed}")
            return {name: tensor.numpy() for name, tensor in network.state_dict().items()}

        tensors = kept(lesson.folder / f"{stage}.safetensors", lesson.key, train)
    network.load_state_dict({name: torch.as_tensor(tensor) for name, tensor in tensors.items()})
    return network.eval()


def _train(
    network: Network, loss_of: Callable[[Network], Tensor], steps: int, rate: float, name: str
) -> None:
    optimiser = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=max(2, steps))
    network.train()
    progress = Progress(name, total=steps)
    for _ in range(steps):
        loss = loss_of(network)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        schedule.step()
        progress.advance({"loss": float(loss.detach())})
    progress.close()
