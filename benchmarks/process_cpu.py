"""What a process of this machine has used so far: CPU by thread, and memory, from Linux's /proc."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

NS = 1e-9
MB = 1024.0


@dataclass(frozen=True, slots=True)
class CpuUsed:
    """Seconds of CPU since a process began, and when that was looked at.

    The first thread is the event loop's; a server's others encode. A thread that has ended is
    counted no more, so compare two looks between which none ends.
    """

    at_s: float  # monotonic
    loop_s: float
    others_s: float

    @classmethod
    def of(cls, pid: int) -> CpuUsed:
        """As it is now."""
        by_thread = {
            int(task.name): int((task / "schedstat").read_text().split()[0]) * NS
            for task in Path(f"/proc/{pid}/task").iterdir()
        }
        loop_s = by_thread.pop(pid)
        return cls(time.monotonic(), loop_s, sum(by_thread.values()))

    def since(self, before: CpuUsed) -> CpuUsed:
        """What was used between two looks; `at_s` is how long that was."""
        return CpuUsed(
            self.at_s - before.at_s, self.loop_s - before.loop_s, self.others_s - before.others_s
        )


def resident_mb(pid: int) -> float:
    """Memory that the process holds, MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / MB
    return 0.0
