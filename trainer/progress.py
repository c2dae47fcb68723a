"""A line of progress on stderr with the latest figures and the time that is left."""

from __future__ import annotations

import sys
import time


class Progress:
    """Advances a run's bar; a plain line every half minute where stderr is no terminal."""

    def __init__(self, name: str, *, total: int, done: int = 0, shown: bool = True) -> None:
        self._name, self._total, self._done, self._first = name, total, done, done
        self._shown = shown
        self._began_s = self._said_s = time.monotonic()

    def advance(self, figures: dict[str, float]) -> None:
        """One unit more; says so at most every half second (terminal) or half minute (log)."""
        self._done += 1
        if not self._shown:
            return
        now_s = time.monotonic()
        terminal = sys.stderr.isatty()
        if now_s - self._said_s < (0.5 if terminal else 30.0) and self._done < self._total:
            return
        self._said_s = now_s
        each_s = (now_s - self._began_s) / max(1, self._done - self._first)
        left_s = each_s * (self._total - self._done)
        shown = " ".join(f"{k}={v:.3f}" for k, v in figures.items())
        rate = f"{each_s:.2f} s each" if each_s >= 0.1 else f"{1 / max(each_s, 1e-6):.0f} a second"
        pace = f"eta {left_s / 60:.1f} min, {rate}"
        line = f"{self._name} {self._done}/{self._total} {pace} {shown}"
        sys.stderr.write(f"\r{line:<118}" if terminal else line + "\n")
        sys.stderr.flush()

    def close(self) -> None:
        """End the line."""
        if self._shown and sys.stderr.isatty():
            sys.stderr.write("\n")

    def say(self, text: str) -> None:
        """A line of its own, behind the progress."""
        if self._shown:
            sys.stderr.write(text + "\n")
