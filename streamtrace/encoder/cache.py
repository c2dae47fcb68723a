"""The memory of every leg in preallocated rows, read where it lies and written in part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from streamtrace.values import STEP_FRAMES, Float32s

Rows: TypeAlias = npt.NDArray[np.int64]
Array: TypeAlias = npt.NDArray[np.generic]

FRONT_TAILS = ("features_tail", "subsample_tail")


def tail_names(layers: int) -> tuple[str, ...]:
    """What the next step replaces whole, by its input's name; the rings are written in part."""
    return (*(f"conv_{layer}" for layer in range(layers)), *FRONT_TAILS)


@dataclass(frozen=True, slots=True)
class StateShape:
    """One row's memory, each part without its batch dimension."""

    layers: int
    ring: tuple[int, int, int]  # heads, frames, numbers: the keys of a layer, and its values
    tails: Mapping[str, tuple[int, ...]]  # by `tail_names`

    @property
    def left_steps(self) -> int:
        """How many steps the ring holds."""
        return self.ring[1] // STEP_FRAMES

    @property
    def bytes_per_row(self) -> int:
        """What one leg costs in memory."""
        floats = 2 * self.layers * int(np.prod(self.ring)) + sum(
            int(np.prod(tail)) for tail in self.tails.values()
        )
        return 4 * floats + 8


class Cache:
    """[slots, ...] per part of the state.

    A row of zeros is a leg that has not begun: `steps_done` tells the graph what to look at.
    Callers see to it that no two batches hold one row at a time; different rows never meet.
    """

    def __init__(self, shape: StateShape, slots: int) -> None:
        self.shape = shape
        heads, frames, width = shape.ring
        # zeros, not empty: the system hands out such pages only when a row is first written.
        self._rings = np.zeros((shape.layers, 2, slots, heads, frames, width), np.float32)
        steps = (shape.left_steps, STEP_FRAMES, width)
        self._ring_steps = self._rings.reshape(*self._rings.shape[:4], *steps)
        self._tails = {
            name: np.zeros((slots, *tail), np.float32) for name, tail in shape.tails.items()
        }
        self._steps_done = np.zeros(slots, np.int64)
        self._whole: dict[str, Array] = {**self._tails, "steps_done": self._steps_done}
        for layer, (keys, values) in enumerate(self._rings):
            self._whole |= {f"keys_{layer}": keys, f"values_{layer}": values}

    def reset(self, rows: Sequence[int] | Rows) -> None:
        """Forget what the rows' last tenants said."""
        self._rings[:, :, rows] = 0.0
        for tail in self._tails.values():
            tail[rows] = 0.0
        self._steps_done[rows] = 0

    def inputs(self, rows: Rows) -> dict[str, Array]:
        """The graph's inputs of memory: that of all legs as it lies, and whose it shall read.

        Nothing is copied: the rows are pinned, so they stand still while the graph reads them.
        """
        return {**self._whole, "rows": rows}

    def scatter(self, rows: Rows, memory: Sequence[Float32s]) -> None:
        """Put back what a step leaves behind, in the order of the graph's outputs.

        New keys beside values [B, 6, 2 * width] go over the rings' oldest step. The rest of the
        rings stays where it is, so a step writes an eighth of what it reads.
        """
        oldest = self._steps_done[rows] % self.shape.left_steps
        heads, _, width = self.shape.ring
        layers = self.shape.layers
        for ring, new in zip(self._ring_steps, memory[: 2 * layers : 2], strict=True):
            split = new.reshape(len(rows), STEP_FRAMES, 2, heads, width)
            ring[:, rows, :, oldest] = split.transpose(0, 2, 3, 1, 4)  # [B, 2, heads, 6, width]
        tails = (*memory[1 : 2 * layers : 2], *memory[2 * layers :])
        for name, tail in zip(tail_names(layers), tails, strict=True):
            self._tails[name][rows] = tail
        self._steps_done[rows] += 1
