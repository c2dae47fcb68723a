"""Which process is which, as the kernel tells it: children, and who holds a connection."""

from __future__ import annotations

import os
from pathlib import Path

PROC = Path("/proc")
MODULE = b"streamtrace.workers"


def workers_of(parent: int) -> list[int]:
    """The ingest processes of a server, oldest first."""
    found: list[int] = []
    for entry in PROC.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "stat").read_text().rpartition(")")[2].split()
            command = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:  # gone meanwhile
            continue
        if int(words[1]) == parent and MODULE in command and words[0] != "Z":
            found.append(int(entry.name))
    return sorted(found)


def holder(pids: list[int], client_port: int) -> int | None:
    """Which of the processes has accepted the connection from this loopback port."""
    inodes: set[str] = set()
    for line in (PROC / "net" / "tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[2].partition(":")[2], 16) == client_port:
            inodes.add(f"socket:[{fields[9]}]")
    for pid in pids:
        for descriptor in (PROC / str(pid) / "fd").iterdir():
            try:
                if os.readlink(descriptor) in inodes:
                    return pid
            except OSError:  # closed meanwhile
                continue
    return None
