"""The device as the runner sees it: work that is captured once, copies, and marks in its order.

The only file that touches CUDA. `PlainDevice` does the same on a CPU, at once and without graphs.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Protocol, TypeAlias

import torch
from torch import Tensor

from streamtrace.encoder.gpu_state import Precision
from streamtrace.errors import SettingsError

Work: TypeAlias = Callable[[], None]
# As torch's own allocator says it, the driver, and the libraries when they make their workspace.
NO_MEMORY = re.compile(r"out of memory|ALLOC_FAILED", re.IGNORECASE)
WARM_UPS = 3  # libraries choose kernels and take workspace in the first runs, which no graph may


class Mark(Protocol):
    """A point in the device's order of work."""

    def wait(self) -> None:
        """Return when everything before it is done."""
        ...


class Device(Protocol):
    """Does what it is given in that order, not necessarily before the call returns.

    One thread at a time gives it work.
    """

    @property
    def place(self) -> torch.device:
        """Where its tensors live."""
        ...

    def host_block(self, nbytes: int) -> Tensor:
        """[nbytes] of memory on the host that copies can run from while the host goes on."""
        ...

    def capture(self, work: Work) -> Work:
        """Prepare work on tensors that stay where they are -> what gives it to the device again.

        `work` is run a few times first: what it writes then, it must be harmless to write.
        """
        ...

    def copy(self, into: Tensor, source: Tensor) -> None:
        """Copy between the host and the device, or within it."""
        ...

    def mark(self) -> Mark:
        """A mark behind all that was given so far."""
        ...


class PlainDevice:
    """A `Device` that is the CPU: everything is done when the call returns."""

    place = torch.device("cpu")

    def host_block(self, nbytes: int) -> Tensor:
        """Memory like any other."""
        return torch.zeros(nbytes, dtype=torch.uint8)

    def capture(self, work: Work) -> Work:
        """The work itself, run once, as a graph's warm-up would."""
        work()
        return work

    def copy(self, into: Tensor, source: Tensor) -> None:
        """Now."""
        into.copy_(source)

    def mark(self) -> Mark:
        """Behind what is done already."""
        return _Done()


class _Done:
    def wait(self) -> None:
        """Nothing is outstanding."""


class CudaDevice:
    """A `Device` that is a GPU: one stream, and CUDA graphs that share one pool of memory.

    The graphs are replayed one at a time and leave nothing behind but what they write into tensors
    of their caller's, so each may use the others' scratch memory. Those captured first set its
    size: let the largest come first.
    """

    def __init__(self, index: int = 0) -> None:
        self.place = torch.device("cuda", index)
        self._stream = torch.cuda.Stream(self.place)
        self._pool = torch.cuda.graph_pool_handle()

    def host_block(self, nbytes: int) -> Tensor:
        """Pinned: a copy from other memory would hold the host up."""
        return torch.zeros(nbytes, dtype=torch.uint8, pin_memory=True)

    def capture(self, work: Work) -> Work:
        """Warm up on the side stream, as capture asks, then record."""
        with torch.cuda.device(self.place), exact_arithmetic(), uncollected():
            # What the caller has just made or moved may still be on its way on another stream.
            self._stream.wait_stream(torch.cuda.current_stream(self.place))
            with torch.cuda.stream(self._stream):
                for _ in range(WARM_UPS):
                    work()
            self._stream.synchronize()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(
                graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"
            ):
                work()

        def replay() -> None:
            with torch.cuda.stream(self._stream):
                graph.replay()

        return replay

    def copy(self, into: Tensor, source: Tensor) -> None:
        """On the same stream, so behind the graphs before it and ahead of those after it."""
        with torch.cuda.stream(self._stream):
            into.copy_(source, non_blocking=True)

    def mark(self) -> Mark:
        """An event; whoever waits for it sleeps, for the event loop needs the core."""
        event = torch.cuda.Event(blocking=True)
        event.record(self._stream)
        return _Event(event)


class _Event:
    def __init__(self, event: torch.cuda.Event) -> None:
        self._event = event

    def wait(self) -> None:
        """Sleep until the device has come so far; other threads run meanwhile."""
        self._event.synchronize()


@contextmanager
def exact_arithmetic() -> Generator[None]:
    """No TF32 and no bfloat16 sums in what is captured here: a graph keeps the kernels it saw.

    Raises SettingsError where the program around us has set TF32 through torch's newer flags:
    torch then refuses to tell the older ones, which its own contexts still read.
    """
    products = torch.backends.cuda.matmul
    with _older_flags("torch.backends.cuda.matmul"):
        before = (products.allow_tf32, products.allow_bf16_reduced_precision_reduction)
    with _older_flags("torch.backends.cudnn"):
        _ = torch.backends.cudnn.allow_tf32
    products.allow_tf32 = False
    products.allow_bf16_reduced_precision_reduction = False
    try:
        with torch.backends.cudnn.flags(
            enabled=True, benchmark=False, deterministic=True, allow_tf32=False
        ):
            yield
    finally:
        products.allow_tf32, products.allow_bf16_reduced_precision_reduction = before


@contextmanager
def _older_flags(where: str) -> Generator[None]:
    try:
        yield
    except RuntimeError as cause:
        raise SettingsError(
            f"{where}.fp32_precision: set by this program, which a runner on a GPU cannot share; "
            f"set {where}.allow_tf32 instead"
        ) from cause


@contextmanager
def uncollected() -> Generator[None]:
    """No garbage collection: another runner's graphs, freed on this thread, end a capture."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def torch_problem() -> str | None:
    """Why the torch that is installed cannot use the GPU, in words; None where it can."""
    if not torch.backends.cuda.is_built():
        return f"torch {torch.__version__} was built without CUDA"
    if not torch.cuda.is_available():
        return f"torch {torch.__version__} finds no CUDA device that it can use"
    return problem_on(torch.device("cuda"))


def problem_on(place: torch.device) -> str | None:
    """What a first sum on the device fails with, in one line; None where it succeeds.

    A device can be found and yet be taken by another process, be broken, or be one that this torch
    has no kernels for.
    """
    try:
        (torch.ones(1, device=place) + 1).item()
    except RuntimeError as cause:
        line = next(iter(str(cause).splitlines()), "") or type(cause).__name__
        return f"torch {torch.__version__} finds {place} and cannot use it: {line}"
    return None


@contextmanager
def fitting(slots: int, precision: Precision) -> Generator[None]:
    """Say what to do where the device's memory is too small, whoever found that out."""
    try:
        yield
    except RuntimeError as cause:
        if NO_MEMORY.search(str(cause)) is None:
            raise
        or_else = ", or set precision=bf16" if precision == "fp32" else ""
        raise SettingsError(
            f"slots={slots}: more than the GPU's memory holds; lower it{or_else}"
        ) from cause
