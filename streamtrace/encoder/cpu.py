"""The exported cached step in ONNX Runtime: one session, shared by all worker threads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnxruntime as untyped_onnxruntime  # pyright: ignore[reportMissingTypeStubs]

from streamtrace.encoder.cache import TAILS, Array, Cache, Rows, StateShape
from streamtrace.errors import BundleError
from streamtrace.values import Bools, Float32s

STEP_INPUTS = ("pcm", "kv", "conv", "features_tail", "subsample_tail", "steps_done")
STEP_OUTPUTS = (
    "embedding",
    "attention",
    "activity",
    "new_kv",
    "conv_out",
    "features_tail_out",
    "subsample_tail_out",
)
onnxruntime: Any = untyped_onnxruntime
FATAL_ONLY = 4  # everything less is also raised, or is advice that no operator can follow


@dataclass(frozen=True, slots=True, eq=False)
class StepFrames:
    """What one run of a batch says."""

    embedding: Float32s  # [B, STEP_FRAMES, D]
    attention: Float32s  # [B, STEP_FRAMES]
    activity: Float32s  # [B, STEP_FRAMES]


class OrtStepRunner:
    """Steps rows on the CPU; several threads may run at once as long as they share no row.

    A row's result depends on that row alone: not on the batch, its size or its neighbours.
    """

    def __init__(self, step_file: Path, *, slots: int) -> None:
        self._step = OrtStep(step_file)
        self._cache = Cache(self._step.state_shape, slots)

    @property
    def state_bytes_per_row(self) -> int:
        """What one leg's memory costs."""
        return self._cache.shape.bytes_per_row

    def reset(self, rows: Sequence[int] | Rows) -> None:
        """Make the rows like new."""
        self._cache.reset(rows)

    def run(self, rows: Rows, pcm: Float32s, is_lent: Callable[[], Bools]) -> StepFrames:
        """rows [B], all different, and pcm [B, CONTEXT_SAMPLES + STEP_SAMPLES] -> their frames.

        `is_lent` is asked behind the run: what a row that is lent no more would remember goes to
        the scratch row.
        """
        found = self._step.run({"pcm": pcm, **self._cache.gather(rows)})
        embedding, attention, activity, new_kv, *tails = found
        kept = np.where(is_lent(), rows, self._cache.scratch_row)
        self._cache.scatter(kept, new_kv, dict(zip(TAILS, tails, strict=True)))
        return StepFrames(embedding, attention, activity)


class OrtStep:
    """The graph alone, memory in and memory out; `run` may be called from many threads at once.

    Each run takes one thread, which neither spins nor reports home. Parallelism comes from several
    threads that run at once: on few cores that is worth twice what threads inside an operator are,
    and a thread that spins starves the event loop.
    """

    def __init__(self, step_file: Path) -> None:
        onnxruntime.set_default_logger_severity(FATAL_ONLY)
        onnxruntime.disable_telemetry_events()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = FATAL_ONLY
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.inter_op.allow_spinning", "0")
        try:
            self._session: _Session = onnxruntime.InferenceSession(
                str(step_file), options, providers=["CPUExecutionProvider"]
            )
        except Exception as cause:
            raise BundleError(
                f"{step_file}: ONNX Runtime cannot load it ({cause}): export the bundle anew"
            ) from cause
        self._outputs: list[str] = list(STEP_OUTPUTS)
        self.state_shape = self._read_state_shape(step_file)

    def run(self, feeds: Mapping[str, Array]) -> list[Float32s]:
        """The arrays of STEP_INPUTS -> those of STEP_OUTPUTS, in order, owned by the caller."""
        return self._session.run(self._outputs, feeds)

    def _read_state_shape(self, step_file: Path) -> StateShape:
        """Read one row's memory off the graph, so that no second description can disagree."""
        shapes = {one.name: tuple(one.shape[1:]) for one in self._session.get_inputs()}
        outputs = {one.name for one in self._session.get_outputs()}
        if set(shapes) != set(STEP_INPUTS) or outputs != set(STEP_OUTPUTS):
            raise BundleError(
                f"{step_file}: want inputs {', '.join(STEP_INPUTS)} and outputs "
                f"{', '.join(STEP_OUTPUTS)}; found {', '.join(shapes)} and {', '.join(outputs)}"
            )
        layers, ring, width = shapes["kv"]
        return StateShape((layers, ring, width), {name: shapes[name] for name in TAILS})


class _Tensor(Protocol):
    """What is used of onnxruntime.NodeArg, which carries no types."""

    name: str
    shape: list[Any]


class _Session(Protocol):
    """What is used of onnxruntime.InferenceSession, which carries no types."""

    def run(self, output_names: list[str], input_feed: Mapping[str, Array]) -> list[Float32s]: ...

    def get_inputs(self) -> list[_Tensor]: ...

    def get_outputs(self) -> list[_Tensor]: ...
