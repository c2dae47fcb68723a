"""An event loop in which waiting takes no time: with nothing to do its clock jumps ahead."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

ResultT = TypeVar("ResultT")


class VirtualLoop(asyncio.SelectorEventLoop):
    """Counts from 0. Sockets work, but nobody waits for them while a timer is set."""

    def __init__(self) -> None:
        self._now_s = 0.0
        super().__init__(_Selector(self))

    def time(self) -> float:
        """Seconds that were waited."""
        return self._now_s

    def jump(self, seconds: float) -> None:
        """They have passed."""
        self._now_s += seconds


class _Selector(selectors.DefaultSelector):  # type: ignore[misc,valid-type]
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(None if timeout is None else 0)
        if not ready and timeout:
            self._loop.jump(timeout)
        return ready


def run_virtually(work: Coroutine[Any, Any, ResultT]) -> ResultT:
    """To its end, at once."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)
