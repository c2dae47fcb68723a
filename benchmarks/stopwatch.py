"""CPU time of named functions while a block of code runs, each without what is named inside it."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Section:
    """A function to be timed, where it is looked up when it is called."""

    name: str
    owner: type
    function: str


@dataclass(slots=True)
class Stopwatch:
    """Seconds of CPU by name; threads count into the same sums."""

    seconds: dict[str, float] = field(default_factory=dict[str, float])
    last_lap: dict[str, float] = field(default_factory=dict[str, float])
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _open: threading.local = field(default_factory=threading.local)

    def lap(self) -> None:
        """What was counted until now is the last lap; the next begins at nothing."""
        with self._lock:
            self.last_lap = dict(self.seconds)
            self.seconds.clear()

    def time(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, timed: what a timed function inside it takes is not its own."""

        @functools.wraps(function)
        def timed(*arguments: Any, **named: Any) -> Any:
            inside: list[float] = getattr(self._open, "inside", [])
            self._open.inside = mine = [0.0]
            before = time.thread_time()
            try:
                return function(*arguments, **named)
            finally:
                took = time.thread_time() - before
                self._open.inside = inside
                if inside:
                    inside[0] += took
                with self._lock:
                    self.seconds[name] = self.seconds.get(name, 0.0) + took - mine[0]

        return timed


@contextmanager
def timing(sections: Sequence[Section]) -> Generator[Stopwatch]:
    """Put a stopwatch around each section for as long as the block runs."""
    watch = Stopwatch()
    kept = [(one.owner, one.function, one.owner.__dict__[one.function]) for one in sections]
    try:
        for section, (owner, function, was) in zip(sections, kept, strict=True):
            inner: Callable[..., Any] = getattr(was, "__func__", was)
            timed = watch.time(section.name, inner)
            setattr(owner, function, timed if inner is was else classmethod(timed))
        yield watch
    finally:
        for owner, function, was in kept:
            setattr(owner, function, was)
