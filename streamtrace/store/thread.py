"""One thread that works off jobs in their order, for a loop that must not wait for a disk."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

Answer = TypeVar("Answer")


class JobThread:
    """Jobs wait here no longer than their callers do: each awaits its answer.

    It is a daemon: a disk that does not answer any more must not keep the process from ending.
    """

    def __init__(self, name: str) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def submit(self, job: Callable[[], Answer]) -> asyncio.Future[Answer]:
        """Have it done; its answer or error comes to the running loop."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()
        # Whoever gave up waiting does not ask for the error.
        answer.add_done_callback(lambda done: done.cancelled() or done.exception())

        def tell(result: Any, error: BaseException | None) -> None:
            if answer.done():
                return
            if error is None:
                answer.set_result(result)
            else:
                answer.set_exception(error)

        def run() -> None:
            result, error = None, None
            try:
                result = job()
            except BaseException as failure:
                error = failure
            if not loop.is_closed():
                loop.call_soon_threadsafe(tell, result, error)

        self._jobs.put(run)
        return answer

    def close(self) -> None:
        """It ends behind the jobs that it has."""
        self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
