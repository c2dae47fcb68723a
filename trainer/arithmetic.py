"""In what numbers a run computes: bfloat16 where it is safe, and the same bits each time."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any

import torch
from torch import nn

from trainer.config import ComputeConfig


@contextmanager
def arithmetic(
    config: ComputeConfig, device: torch.device, model: nn.Module
) -> Generator[Autocast]:
    """Hold torch to `config` within this context; yields what to run the network under."""
    with ExitStack() as held:
        if config.deterministic:
            held.enter_context(_deterministic())
        halved = config.precision == "bf16" and device.type == "cuda"
        if halved:
            held.enter_context(exactly(model, device))
        yield Autocast(device, halved=halved)


class Autocast:
    """A context for the forward pass, new each time."""

    def __init__(self, device: torch.device, *, halved: bool) -> None:
        self._device = device
        self.halved = halved

    def __call__(self) -> AbstractContextManager[Any]:
        """bfloat16 for what learns, if this run has it."""
        if not self.halved:
            return nullcontext()
        return torch.autocast(self._device.type, dtype=torch.bfloat16)


@contextmanager
def _deterministic() -> Generator[None]:
    """Only algorithms that give the same bits on every run; slower on a GPU."""
    # cuBLAS reads this when it is first used.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled()
    benchmark = torch.backends.cudnn.benchmark
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
        torch.backends.cudnn.benchmark = benchmark


@contextmanager
def exactly(model: nn.Module, device: torch.device) -> Generator[None]:
    """Keep fixed arithmetic out of bfloat16.

    Logarithms of band powers and cepstra differ in the digits that bfloat16 drops. What is fixed
    is known by having numbers of its own (buffers) and nothing to learn.
    """
    entered: list[AbstractContextManager[Any]] = []

    def before(_module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        exact = torch.autocast(device.type, enabled=False)
        exact.__enter__()
        entered.append(exact)
        return tuple(x.float() if _is_halved(x) else x for x in inputs)

    def after(_module: nn.Module, _inputs: object, _output: object) -> None:
        entered.pop().__exit__(None, None, None)

    hooks: list[Any] = []
    for module in fixed_parts(model):
        hooks += [
            module.register_forward_pre_hook(before),
            module.register_forward_hook(after, always_call=True),
        ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def fixed_parts(model: nn.Module) -> Iterator[nn.Module]:
    """Modules that compute with numbers of their own and learn nothing."""
    for module in model.modules():
        if any(True for _ in module.buffers()) and not any(True for _ in module.parameters()):
            yield module


def _is_halved(x: object) -> bool:
    return isinstance(x, torch.Tensor) and x.dtype == torch.bfloat16
