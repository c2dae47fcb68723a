"""Ctrl-C as a wish: the loop finishes its step, saves, and then stops."""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType, TracebackType


class Interrupts:
    """Within this context the first Ctrl-C only sets `asked`; a second one interrupts at once."""

    def __init__(self) -> None:
        self.asked = False
        self._before: signal.Handlers | object = None

    def __enter__(self) -> Interrupts:
        # Python lets only its main thread answer signals; elsewhere the caller has to.
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._answer)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)  # type: ignore[arg-type]
            self._before = None

    def _answer(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        print("\ntrainer: saving behind this step; once more to stop now", file=sys.stderr)
