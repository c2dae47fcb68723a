"""Several processes that train one model: who is here, and sums over all of them.

Started by `torchrun`; without it there is one process and nothing to add up.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn

from streamtrace.errors import SettingsError
from trainer.feed import Turn


@dataclass(frozen=True)
class Processes:
    """This process among its peers."""

    rank: int
    world: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """The one process that writes files and shows progress."""
        return self.rank == 0

    @property
    def turn(self) -> Turn:
        """Which batches are this process's."""
        return Turn(self.rank, self.world)

    def total(self, values: Tensor) -> Tensor:
        """The sum of everyone's `values`, which must have one shape everywhere."""
        if self.world > 1:
            distributed.all_reduce(values)
        return values

    def average(self, modules: Sequence[nn.Module], *, stop: bool) -> bool:
        """Replace gradients and running statistics by their means over all processes.

        Returns whether anyone wants to stop, so that all of them stop behind the same step. One
        message for everything: it is sent once a step, and the model is small. A parameter that had
        no gradient anywhere keeps none; torch's own wrapper would want to know beforehand which.
        """
        if self.world == 1:
            return stop
        parameters = [p for module in modules for p in module.parameters()]
        running = [b for module in modules for b in _running(module)]
        has = torch.tensor([float(stop), *(float(p.grad is not None) for p in parameters)])
        parts = [
            has.to(self.device),
            *((torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in parameters),
            *(b.flatten() for b in running),
        ]
        everyones = self.total(torch.cat(parts)).split([part.numel() for part in parts])
        wants, *has_gradient = everyones[0].tolist()
        gradients, means = everyones[1 : 1 + len(parameters)], everyones[1 + len(parameters) :]
        for parameter, gradient, found in zip(parameters, gradients, has_gradient, strict=True):
            parameter.grad = (gradient / self.world).view_as(parameter) if found else None
        for buffer, mean in zip(running, means, strict=True):
            buffer.copy_((mean / self.world).view_as(buffer))
        return wants > 0

    def meet(self) -> None:
        """Wait for everyone: where one process ends, `torchrun` ends the others in their midst."""
        if self.world > 1:
            distributed.barrier()

    def agree(self, modules: Sequence[nn.Module]) -> bool:
        """Whether everyone's weights are the same to the last bit."""
        if self.world == 1:
            return True
        flat = torch.cat(
            [t.detach().double().flatten() for m in modules for t in m.state_dict().values()]
        )
        mine = torch.stack([flat.sum(), (flat * torch.arange(1, 1 + len(flat)).to(flat)).sum()])
        highest, lowest = mine.clone(), mine.clone()
        distributed.all_reduce(highest, op=distributed.ReduceOp.MAX)
        distributed.all_reduce(lowest, op=distributed.ReduceOp.MIN)
        return bool(torch.equal(highest, lowest))


@contextmanager
def joined() -> Generator[Processes]:
    """Meet the other processes that `torchrun` started, if it did."""
    try:
        rank, world, local = (
            int(os.environ.get(name, default))
            for name, default in (("RANK", "0"), ("WORLD_SIZE", "1"), ("LOCAL_RANK", "0"))
        )
    except ValueError as cause:
        raise SettingsError(
            f"RANK, WORLD_SIZE, LOCAL_RANK: want whole numbers ({cause})"
        ) from cause
    cuda = torch.cuda.is_available()
    if cuda and local >= torch.cuda.device_count():
        raise SettingsError(
            f"LOCAL_RANK={local}: this machine has {torch.cuda.device_count()} GPUs; "
            "start at most as many processes (torchrun --nproc-per-node)"
        )
    device = torch.device("cuda", local) if cuda else torch.device("cpu")
    if world == 1:
        yield Processes(0, 1, device)
        return
    if cuda:
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if cuda else "gloo", rank=rank, world_size=world)
    try:
        yield Processes(rank, world, device)
    finally:
        distributed.destroy_process_group()


def _running(module: nn.Module) -> list[Tensor]:
    """What a module keeps count of besides its parameters, and saves; fixed matrices are not."""
    saved = module.state_dict()
    return [b for name, b in module.named_buffers() if name in saved and b.is_floating_point()]
