"""The event loop that the server runs on, for benchmarks that measure what a loop does."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

from streamtrace.errors import StreamTraceError

ResultT = TypeVar("ResultT")


class CannotMeasure(StreamTraceError):
    """Something that the benchmark needs is not here; the text says what and what to do."""

    exit_code = 2


def run(work: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Run it to its end on uvloop where there is one, as the server does."""
    if sys.platform == "win32":
        return asyncio.run(work)
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def need_linux() -> None:
    """Raise `CannotMeasure` where CPU time and memory cannot be read by thread and process."""
    if sys.platform != "linux":
        raise CannotMeasure(
            f"bench: what a process uses is read from Linux's /proc, which {sys.platform} has not:"
            " run it on Linux, or in the container of deploy/"
        )
