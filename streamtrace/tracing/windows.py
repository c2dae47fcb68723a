"""The last window of a leg: its newest sixteen steps, merged when asked for."""

from __future__ import annotations

import numpy as np

from streamtrace.tracing.accumulate import EMPTY_PEAK, Pool, merge_row
from streamtrace.values import WINDOW_STEPS


class SlidingWindow:
    """The sixteen steps up to the newest one; a step that never came counts as an empty one."""

    def __init__(self, width: int) -> None:
        self._newest = -1
        self._speech_ms = np.zeros(WINDOW_STEPS, np.int64)
        self._pools = Pool(
            peak=np.full(WINDOW_STEPS, EMPTY_PEAK, np.float32),
            weight=np.zeros(WINDOW_STEPS, np.float32),
            first=np.zeros((WINDOW_STEPS, width), np.float32),
            second=np.zeros((WINDOW_STEPS, width), np.float32),
        )

    def add(self, index: int, pool: Pool, speech_ms: int) -> None:
        """Take step `index` in; indices rise, and those left out leave the window emptier."""
        skipped = range(max(self._newest + 1, index - WINDOW_STEPS + 1), index)
        for missing in skipped:
            self._clear(missing % WINDOW_STEPS)
        place = index % WINDOW_STEPS
        self._newest = index
        self._speech_ms[place] = speech_ms
        self._pools.peak[place] = pool.peak
        self._pools.weight[place] = pool.weight
        self._pools.first[place] = pool.first
        self._pools.second[place] = pool.second

    def merged(self) -> tuple[Pool, int]:
        """The pool and the speech, in ms, of the window that ends with the newest step."""
        return merge_row(self._pools), int(self._speech_ms.sum())

    def _clear(self, place: int) -> None:
        self._speech_ms[place] = 0
        self._pools.peak[place] = EMPTY_PEAK
        self._pools.weight[place] = 0.0
        self._pools.first[place] = 0.0
        self._pools.second[place] = 0.0
