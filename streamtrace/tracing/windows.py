"""The last windows of many legs: each row its newest sixteen steps, merged when asked for."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from streamtrace.tracing.accumulate import EMPTY_PEAK, Pool
from streamtrace.values import WINDOW_STEPS

Rows = npt.NDArray[np.int64]


class Windows:
    """Per row, the sixteen steps up to its newest; a step that never came counts as an empty one.

    Rows never meet: threads may work on different ones at the same time.
    """

    def __init__(self, rows: int, width: int) -> None:
        # zeros, not empty: the system hands out such pages only when a row is first written.
        self._newest = np.full(rows, -1, np.int64)
        self._speech_ms = np.zeros((rows, WINDOW_STEPS), np.int64)
        # Both sums side by side: merging a row is then one product.
        self._sums = np.zeros((rows, WINDOW_STEPS, 2 * width), np.float32)
        self._pools = Pool(
            peak=np.full((rows, WINDOW_STEPS), EMPTY_PEAK, np.float32),
            weight=np.zeros((rows, WINDOW_STEPS), np.float32),
            first=self._sums[..., :width],
            second=self._sums[..., width:],
        )

    @property
    def bytes_per_row(self) -> int:
        """What one leg costs in memory."""
        pools = self._pools
        parts = (self._newest, self._speech_ms, pools.peak, pools.weight, self._sums)
        return sum(part[:1].nbytes for part in parts)

    def reset(self, rows: Rows) -> None:
        """Make the rows like new."""
        self._newest[rows] = -1
        self._empty(rows, slice(None))

    def add(self, rows: Rows, index: Rows, pools: Pool, speech_ms: Rows) -> None:
        """Take one step of each row in [B]; a row's indices rise.

        Indices that a row leaves out leave its window emptier.
        """
        newest = self._newest[rows]
        for at in np.flatnonzero(index > newest + 1).tolist():
            if newest[at] >= 0:
                first = max(int(newest[at]) + 1, int(index[at]) - WINDOW_STEPS + 1)
                missing: Rows = np.arange(first, int(index[at]), dtype=np.int64)
                self._empty(int(rows[at]), missing % WINDOW_STEPS)
        place = index % WINDOW_STEPS
        self._newest[rows] = index
        self._speech_ms[rows, place] = speech_ms
        self._pools.peak[rows, place] = pools.peak
        self._pools.weight[rows, place] = pools.weight
        self._pools.first[rows, place] = pools.first
        self._pools.second[rows, place] = pools.second

    def merged(self, rows: Rows) -> tuple[Pool, Rows]:
        """[B] pools, and the speech in ms, of the windows that end with each row's newest step."""
        peaks = self._pools.peak[rows]
        peak = peaks.max(axis=1)
        share = np.exp(peaks - peak[:, None])
        sums = np.empty((len(rows), self._sums.shape[2]), np.float32)
        for at, row in enumerate(rows.tolist()):  # row by row: gathering them first costs more
            np.dot(share[at], self._sums[row], out=sums[at])
        weight = (share * self._pools.weight[rows]).sum(axis=1)
        width = sums.shape[1] // 2
        pools = Pool(peak, weight, sums[:, :width], sums[:, width:])
        return pools, self._speech_ms[rows].sum(axis=1)

    def _empty(self, rows: Rows | int, places: Rows | slice) -> None:
        at = (rows, places)
        self._speech_ms[at] = 0
        self._pools.peak[at] = EMPTY_PEAK
        self._pools.weight[at] = 0.0
        self._sums[at] = 0.0
