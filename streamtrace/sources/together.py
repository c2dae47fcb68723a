"""Messages that may wait a moment, heard in one go for all calls: cold code costs a multiple.

A message of a fifth of a second comes alone, when all that reads, resamples and cuts it has gone
from the caches: that takes four times as long as the same work behind another message. Where
messages hold much audio, a moment more is little to what the platform itself has waited.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Together:
    """One for all calls of a process."""

    def __init__(self) -> None:
        self._waiting: list[Callable[[], None]] = []
        self._timer: asyncio.TimerHandle | None = None

    def soon(self, hear: Callable[[], None], within_s: float) -> None:
        """Call it by then, with all others; a call more is harmless to it."""
        self._waiting.append(hear)
        loop = asyncio.get_running_loop()
        due_s = loop.time() + within_s
        if self._timer is None or due_s < self._timer.when():
            self._cancel()
            self._timer = loop.call_at(due_s, self._hear)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _hear(self) -> None:
        self._timer = None
        waiting, self._waiting = self._waiting, []
        for hear in waiting:
            try:
                hear()
            except Exception as cause:  # it has ended its own call; the others go on
                told = {"message": "a call failed", "exception": cause}
                asyncio.get_running_loop().call_exception_handler(told)
