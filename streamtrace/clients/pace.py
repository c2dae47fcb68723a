"""Keeps a sender in step with real time: deadlines are absolute, so being late never adds up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable


class Pace:
    """`speed` 1 is real time, 2 twice as fast, 0 as fast as it goes."""

    def __init__(
        self,
        speed: float = 1.0,
        *,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._speed = speed
        self._now = now
        self._sleep = sleep
        self._began_s: float | None = None

    async def until(self, position_s: float) -> None:
        """Wait until audio at `position_s` is due; the first call starts the clock."""
        if self._began_s is None:
            self._began_s = self._now()
        rest_s = self._began_s + position_s / self._speed - self._now() if self._speed > 0 else 0
        await self._sleep(max(rest_s, 0))
