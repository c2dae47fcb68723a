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


class _LateMark:
    def __init__(self, device: LateDevice, given: int) -> None:
        self._device, self._given = device, given

    def wait(self) -> None:
        """Do what lies before the mark, and no more."""
        self._device.work_until(self._given)
