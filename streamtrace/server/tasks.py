"""Tasks that outlive the request that began them, and those that a drain waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from contextlib import contextmanager
from typing import Any, Self

import structlog

log = structlog.get_logger()


class OwnedTasks:
    """As an async context manager it owns every task that it has spawned."""

    def __init__(self) -> None:
        self._tasks = asyncio.TaskGroup()
        self._spawned: set[asyncio.Task[Any]] = set()
        self._streaming: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        return self

    async def __aexit__(self, *exc_info: Any) -> None:
        for task in self._spawned:
            task.cancel()
        await self._tasks.__aexit__(*exc_info)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run it for as long as it takes; when the server goes down it is cancelled."""
        task = self._tasks.create_task(_logged(work))
        self._spawned.add(task)
        task.add_done_callback(self._spawned.discard)
        # Cancelled before its first turn it never came to the work, which would be complained of.
        task.add_done_callback(lambda _: work.close())
        return task

    @contextmanager
    def streaming(self) -> Generator[None]:
        """A drain waits for this task, which sends events, to come to its end."""
        task = asyncio.current_task()
        assert task is not None  # only coroutines come here
        self._streaming.add(task)
        try:
            yield
        finally:
            self._streaming.discard(task)


async def done(tasks: set[asyncio.Task[Any]] | set[asyncio.Task[None]], within_s: float) -> None:
    """Wait for all of them, but not for ever."""
    if tasks:
        await asyncio.wait(tasks, timeout=within_s)


async def _logged(work: Coroutine[Any, Any, None]) -> None:
    """An error in one task must not end the others of its group."""
    try:
        await work
    except Exception as failure:
        log.error("task failed", exc_info=failure)
