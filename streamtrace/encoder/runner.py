"""What runs a batch of steps, from audio to answers; here on the CPU, with ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from streamtrace.encoder.bundle import Bundle
from streamtrace.encoder.cache import Rows
from streamtrace.fusion.tracer import Answers, Tracer
from streamtrace.values import Bools, Float32s, Step

if TYPE_CHECKING:
    from streamtrace.encoder.cpu import OrtStepRunner


@dataclass(frozen=True, slots=True, eq=False)
class StepBatch:
    """One step of each of B different rows."""

    rows: Rows  # [B]
    pcm: Float32s  # [B, CONTEXT_SAMPLES + STEP_SAMPLES]
    index: npt.NDArray[np.int64]  # [B] on each leg's grid
    usable: Bools  # [B, STEP_FRAMES]
    fresh: Bools  # [B] the encoder's caches must be empty
    wanted: Bools  # [B] an answer is wanted

    @classmethod
    def of(cls, rows: Sequence[int], steps: Sequence[Step]) -> StepBatch:
        """Side by side."""
        return cls(
            rows=np.array(rows, np.int64),
            pcm=np.stack([step.pcm for step in steps]),
            index=np.array([step.index for step in steps], np.int64),
            usable=np.stack([step.usable for step in steps]),
            fresh=np.array([step.fresh for step in steps], np.bool_),
            wanted=np.array([step.wanted for step in steps], np.bool_),
        )


class StepRunner(Protocol):
    """Steps rows; several threads may do so at once as long as they share no row.

    A row's result depends on that row alone: not on the batch, its size or its neighbours.
    """

    @property
    def state_bytes_per_row(self) -> int:
        """What one leg's memory costs."""
        ...

    def reset(self, rows: Sequence[int] | Rows) -> None:
        """Make the rows like new."""
        ...

    def run(self, batch: StepBatch) -> Answers | None:
        """Step the rows once -> an answer for each that wanted one, in their order, if any did."""
        ...

    def answer(self, rows: Rows) -> Answers:
        """What the rows' legs say by now."""
        ...

    def close(self) -> None:
        """Wait for what still runs; nothing is asked of it afterwards."""
        ...


class CpuRunner:
    """A `StepRunner`: the exported step, then pooling, and the exported answers."""

    def __init__(self, bundle: Bundle, *, slots: int, frames: OrtStepRunner | None = None) -> None:
        # Here, so that a machine whose GPU steps the encoder needs no ONNX Runtime.
        from streamtrace.encoder.cpu import OrtAnswers, OrtStepRunner

        self._frames = frames or OrtStepRunner(bundle.step_path, slots=slots)
        said = OrtAnswers(bundle.answers_path, bundle.trace_model)
        self._tracer = Tracer(bundle.trace_model, slots, answer=said.answer)

    @property
    def state_bytes_per_row(self) -> int:
        """Caches, pools and the window."""
        return self._frames.state_bytes_per_row + self._tracer.bytes_per_row

    def reset(self, rows: Sequence[int] | Rows) -> None:
        """Make the rows like new."""
        self._frames.reset(rows)
        self._tracer.reset(np.asarray(rows, np.int64))

    def run(self, batch: StepBatch) -> Answers | None:
        """Step the rows once -> an answer for each that wanted one, in their order, if any did."""
        if batch.fresh.any():  # behind a long gap the encoder forgets; what was pooled stays
            self._frames.reset(batch.rows[batch.fresh])
        made = self._frames.run(batch.rows, batch.pcm)
        self._tracer.add(
            batch.rows, batch.index, batch.usable, made.embedding, made.attention, made.activity
        )
        return self._tracer.answer(batch.rows[batch.wanted]) if batch.wanted.any() else None

    def answer(self, rows: Rows) -> Answers:
        """What the rows' legs say by now."""
        return self._tracer.answer(rows)

    def close(self) -> None:
        """Nothing runs between calls."""
