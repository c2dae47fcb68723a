"""A device that, like a GPU, does nothing until somebody waits for it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from torch import Tensor

from streamtrace.encoder.gpu_device import Mark, PlainDevice, Work


class LateDevice(PlainDevice):
    """Copies and graphs queue up in order and run when a mark behind them is waited for.

    Whoever refills memory that a queued copy still reads, or reads what it has not yet written,
    computes something else than with `PlainDevice`.
    """

    def __init__(self) -> None:
        self._queue: deque[Callable[[], object]] = deque()
        self._done = 0

    def capture(self, work: Work) -> Work:
        """Warm up now, replay later."""
        work()
        return lambda: self._queue.append(work)

    def copy(self, into: Tensor, source: Tensor) -> None:
        """Later."""
        self._queue.append(lambda: into.copy_(source))

    def mark(self) -> Mark:
        """Behind all that waits now."""
        return _LateMark(self, self._done + len(self._queue))

    @property
    def waiting(self) -> int:
        """How much has not been done yet."""
        return len(self._queue)

    def work_until(self, given: int) -> None:
        """Do what is waiting, oldest first, until so much of what was ever given is done."""
        while self._done < given:
            self._queue.popleft()()
            self._done += 1


class BreakingDevice(LateDevice):
    """A `LateDevice` that can be told to fail where it copies back to the host."""

    def __init__(self) -> None:
        super().__init__()
        self.failures = 0  # that are still to come
        self._host_blocks: list[Tensor] = []

    def host_block(self, nbytes: int) -> Tensor:
        """Remembered, to tell the two directions apart."""
        self._host_blocks.append(super().host_block(nbytes))
        return self._host_blocks[-1]

    def copy(self, into: Tensor, source: Tensor) -> None:
        """Later, or never."""
        if self.failures and into.data_ptr() in [one.data_ptr() for one in self._host_blocks]:
            self.failures -= 1
            raise RuntimeError("the copy back fails")
        super().copy(into, source)


class _LateMark:
    def __init__(self, device: LateDevice, given: int) -> None:
        self._device, self._given = device, given

    def wait(self) -> None:
        """Do what lies before the mark, and no more."""
        self._device.work_until(self._given)
