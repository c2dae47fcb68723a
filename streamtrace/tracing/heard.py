"""What many legs have said so far, in preallocated rows: all of it pooled, and their windows."""

from __future__ import annotations

import numpy as np

from streamtrace.tracing.accumulate import EMPTY_PEAK, Pool, merge, pool_frames, statistics
from streamtrace.tracing.logits import log_sigmoid
from streamtrace.tracing.windows import Rows, Windows
from streamtrace.values import FRAME_MS, Bools, Float32s


class HeardRows:
    """[rows, ...]: a batch of steps goes in at once, and no row depends on its neighbours.

    Rows never meet: threads may work on different ones at the same time.
    """

    def __init__(self, rows: int, width: int) -> None:
        # float64: over hours a float32 sum would lose the newest frames to rounding
        self._calls = Pool(
            peak=np.full(rows, EMPTY_PEAK, np.float64),
            weight=np.zeros(rows, np.float64),
            first=np.zeros((rows, width), np.float64),
            second=np.zeros((rows, width), np.float64),
        )
        self._speech_ms = np.zeros(rows, np.int64)
        self._windows = Windows(rows, width)

    @property
    def bytes_per_row(self) -> int:
        """What one leg costs in memory."""
        calls = self._calls
        parts = (calls.peak, calls.weight, calls.first, calls.second, self._speech_ms)
        return sum(part[:1].nbytes for part in parts) + self._windows.bytes_per_row

    def reset(self, rows: Rows) -> None:
        """Forget what the rows' last tenants said."""
        self._put(rows, Pool(np.array(EMPTY_PEAK), np.array(0.0), np.array(0.0), np.array(0.0)))
        self._speech_ms[rows] = 0
        self._windows.reset(rows)

    def add(
        self,
        rows: Rows,
        index: Rows,
        usable: Bools,
        embedding: Float32s,
        attention: Float32s,
        activity: Float32s,
    ) -> None:
        """One step of each of B different rows.

        [B], [B], [B, 6], [B, 6, D], [B, 6] pooling logits, [B, 6] speech logits, > 0 is speech.
        """
        pools = pool_frames(embedding, attention + log_sigmoid(activity), usable)
        speech_ms = FRAME_MS * (usable & (activity > 0)).sum(axis=1)
        self._put(rows, merge(self._taken(rows), pools))
        self._speech_ms[rows] += speech_ms
        self._windows.add(rows, index, pools, speech_ms)

    def statistics(self, rows: Rows) -> tuple[Float32s, Rows]:
        """[B, 2, 2D] and the speech in ms [B, 2]: of the whole call, and of its last window."""
        windows, window_speech_ms = self._windows.merged(rows)
        pooled = np.stack([statistics(self._taken(rows)), statistics(windows)], axis=1)
        return pooled, np.stack([self._speech_ms[rows], window_speech_ms], axis=1)

    def _taken(self, rows: Rows) -> Pool:
        calls = self._calls
        return Pool(calls.peak[rows], calls.weight[rows], calls.first[rows], calls.second[rows])

    def _put(self, rows: Rows, pools: Pool) -> None:
        self._calls.peak[rows] = pools.peak
        self._calls.weight[rows] = pools.weight
        self._calls.first[rows] = pools.first
        self._calls.second[rows] = pools.second
