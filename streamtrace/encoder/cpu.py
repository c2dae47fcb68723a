"""The exported cached step in ONNX Runtime: one session, shared by all worker threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime

from streamtrace.encoder.cache import TAILS, Cache, Rows, StateShape
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
FATAL_ONLY = 4  # everything less is also raised, or is advice that no operator can follow


@dataclass(frozen=True, slots=True, eq=False)
class StepFrames:
    """What one run of a batch says; copies, so nothing in it changes later."""

    embedding: Float32s  # [B, STEP_FRAMES, D]
    attention: Float32s  # [B, STEP_FRAMES]
    activity: Float32s  # [B, STEP_FRAMES]


class OrtStepRunner:
    """Steps rows on the CPU; several threads may run at once as long as they share no row.

    A row's result depends on that row alone: not on the batch, its size or its neighbours.
    """

    def __init__(self, step_file: Path, *, slots: int) -> None:
        self._session = open_session(step_file, ["CPUExecutionProvider"])
        self._cache = Cache(state_shape(self._session, step_file), slots)

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
        feeds = {"pcm": pcm, **self._cache.gather(rows)}
        found: list[Float32s] = self._session.run(STEP_OUTPUTS, feeds)  # pyright: ignore
        embedding, attention, activity, new_kv, *tails = found
        kept = np.where(is_lent(), rows, self._cache.scratch_row)
        self._cache.scatter(kept, new_kv, dict(zip(TAILS, tails, strict=True)))
        return StepFrames(embedding, attention, activity)


def open_session(step_file: Path, providers: Sequence[str]) -> onnxruntime.InferenceSession:
    """A session of one thread per run that neither spins nor reports home.

    Parallelism comes from several threads that run it at once: on few cores that is worth twice
    what threads inside an operator are, and a thread that spins starves the event loop.
    """
    onnxruntime.set_default_logger_severity(FATAL_ONLY)
    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = FATAL_ONLY
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    # A denormal tail after long silence would otherwise cost a hundred times a normal number.
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    try:
        return onnxruntime.InferenceSession(str(step_file), options, providers=list(providers))
    except Exception as cause:
        raise BundleError(
            f"{step_file}: ONNX Runtime cannot load it ({cause}): export the bundle anew"
        ) from cause


def state_shape(session: onnxruntime.InferenceSession, step_file: Path) -> StateShape:
    """Read one row's memory off the graph's inputs, so that no second description can disagree."""
    shapes = {one.name: tuple(one.shape[1:]) for one in session.get_inputs()}
    outputs = tuple(one.name for one in session.get_outputs())
    if set(shapes) != set(STEP_INPUTS) or set(outputs) != set(STEP_OUTPUTS):
        raise BundleError(
            f"{step_file}: want inputs {', '.join(STEP_INPUTS)} and outputs "
            f"{', '.join(STEP_OUTPUTS)}; found {', '.join(shapes)} and {', '.join(outputs)}"
        )
    layers, ring, width = shapes["kv"]
    return StateShape((layers, ring, width), {name: shapes[name] for name in TAILS})
