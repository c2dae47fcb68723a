"""The memory of every leg in preallocated rows, gathered into a batch and scattered back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from streamtrace.values import STEP_FRAMES, Float32s

Rows: TypeAlias = npt.NDArray[np.int64]
Array: TypeAlias = npt.NDArray[np.generic]

# What the next step replaces whole, under its input's name; the ring alone is written in part.
TAILS = ("conv", "features_tail", "subsample_tail")


@dataclass(frozen=True, slots=True)
class StateShape:
    """One row's memory, each part without its batch dimension."""

    kv: tuple[int, int, int]  # layers, ring frames, keys and values
    tails: Mapping[str, tuple[int, ...]]  # by the names in TAILS

    @property
    def left_steps(self) -> int:
        """How many steps the ring holds."""
        return self.kv[1] // STEP_FRAMES

    @property
    def bytes_per_row(self) -> int:
        """What one leg costs in memory."""
        floats = int(np.prod(self.kv)) + sum(int(np.prod(tail)) for tail in self.tails.values())
        return 4 * floats + 8


class Cache:
    """[slots + 1, ...] per part of the state; the last row is scratch, where nobody reads.

    A row of zeros is a leg that has not begun: `steps_done` tells the graph what to look at.
    Callers see to it that no two batches hold one row at a time; different rows never meet.
    """

    def __init__(self, shape: StateShape, slots: int) -> None:
        self.shape = shape
        self.scratch_row = slots
        layers, ring, width = shape.kv
        # zeros, not empty: the system hands out such pages only when a row is first written.
        self._kv = np.zeros((slots + 1, layers, ring, width), np.float32)
        self._kv_steps = self._kv.reshape(slots + 1, layers, shape.left_steps, -1)
        self._tails = {
            name: np.zeros((slots + 1, *tail), np.float32) for name, tail in shape.tails.items()
        }
        self._steps_done = np.zeros(slots + 1, np.int64)

    def reset(self, rows: Sequence[int] | Rows) -> None:
        """Forget what the rows' last tenants said."""
        self._kv[rows] = 0.0
        for tail in self._tails.values():
            tail[rows] = 0.0
        self._steps_done[rows] = 0

    def gather(self, rows: Rows) -> dict[str, Array]:
        """The graph's state inputs, [B, ...] each, in the order of `rows`."""
        if len(rows) == 1:  # a view: the row is pinned, so it stands still while the graph reads it
            only = slice(int(rows[0]), int(rows[0]) + 1)
            tails = {name: tail[only] for name, tail in self._tails.items()}
            return {"kv": self._kv[only], **tails, "steps_done": self._steps_done[only]}
        tails = {name: tail[rows] for name, tail in self._tails.items()}
        return {"kv": self._kv[rows], **tails, "steps_done": self._steps_done[rows]}

    def scatter(self, rows: Rows, new_kv: Float32s, tails: Mapping[str, Float32s]) -> None:
        """Put a step's memory back: `new_kv` [B, layers, 6, width] over the ring's oldest step.

        The rest of the ring stays where it is, so a step writes an eighth of what it reads.
        """
        oldest = self._steps_done[rows] % self.shape.left_steps
        self._kv_steps[rows, :, oldest] = new_kv.reshape(*new_kv.shape[:2], -1)
        for name, tail in tails.items():
            self._tails[name][rows] = tail
        self._steps_done[rows] += 1
