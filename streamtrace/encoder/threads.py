"""The threads that batches run on, and how many cores there are for them."""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

NICENESS = 5  # a step thread yields to the event loop, which has a packet every 20 ms per call


def usable_cores() -> int:
    """The cores that this process may use, which a container can narrow."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _yield_to_the_loop() -> None:
    """Lower this thread's priority where the system has one per thread."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with suppress(OSError):  # a sandbox may forbid it; then it is as fast, and less polite
            nice = os.getpriority(os.PRIO_PROCESS, thread) + NICENESS
            os.setpriority(os.PRIO_PROCESS, thread, nice)


def worker_thread() -> ThreadPoolExecutor:
    """Where batches run, one after another."""
    return ThreadPoolExecutor(1, "encoder", _yield_to_the_loop)
