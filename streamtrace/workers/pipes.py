"""What joins the engine's process and one ingest process: a line, a bell, and a ring's memory."""

from __future__ import annotations

import mmap
import os
import socket
from dataclasses import dataclass
from typing import Self

from streamtrace.workers.ring import create_memory, map_memory


@dataclass(frozen=True, slots=True, eq=False)
class EngineEnds:
    """Ours; nobody inherits them, so the ingest process sees at once when we are gone."""

    line: socket.socket
    bell: socket.socket
    memory: mmap.mmap

    def close(self) -> None:
        """Nobody will use them; harmless where somebody has."""
        self.line.close()
        self.bell.close()


@dataclass(frozen=True, slots=True)
class WorkerEnds:
    """The other process's, as descriptors that it inherits."""

    line: int
    bell: int
    memory: int

    def arguments(self) -> tuple[str, ...]:
        """For its command line."""
        return (str(self.line), str(self.bell), str(self.memory))

    @classmethod
    def from_arguments(cls, arguments: list[str]) -> Self:
        """As it reads them there."""
        line, bell, memory = map(int, arguments)
        return cls(line, bell, memory)

    def descriptors(self) -> tuple[int, ...]:
        """All of them."""
        return (self.line, self.bell, self.memory)

    def close(self) -> None:
        """Once the other process has its own copies."""
        for descriptor in self.descriptors():
            os.close(descriptor)


def lay_pipes() -> tuple[EngineEnds, WorkerEnds]:
    """Both ends, fresh."""
    our_line, their_line = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    our_bell, their_bell = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    memory = create_memory()
    return (
        EngineEnds(our_line, our_bell, map_memory(os.dup(memory))),
        WorkerEnds(their_line.detach(), their_bell.detach(), memory),
    )
