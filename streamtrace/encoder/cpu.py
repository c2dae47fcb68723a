"""What is exported, in ONNX Runtime: one session each, shared by all worker threads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnxruntime as untyped_onnxruntime  # pyright: ignore[reportMissingTypeStubs]

from streamtrace.encoder.cache import FRONT_TAILS, Array, Cache, Rows, StateShape, tail_names
from streamtrace.errors import BundleError
from streamtrace.fusion.fuse import Fused
from streamtrace.fusion.model import TraceModel
from streamtrace.values import Float32s


def step_inputs(layers: int) -> tuple[str, ...]:
    """The graph's inputs: audio, what every layer remembers of all legs, and who takes the step."""
    parts = ("keys", "values", "conv")
    memory = (f"{part}_{layer}" for layer in range(layers) for part in parts)
    return ("pcm", *memory, *FRONT_TAILS, "steps_done", "rows")


def step_outputs(layers: int) -> tuple[str, ...]:
    """The graph's outputs: frames, then what to remember, in the order of the inputs."""
    memory = (f"{part}_{layer}" for layer in range(layers) for part in ("new", "conv_out"))
    return ("embedding", "attention", "activity", *memory, *(f"{one}_out" for one in FRONT_TAILS))


ANSWERS_INPUTS = ("statistics", "speech_ms")
ANSWERS_OUTPUTS = tuple(one.name for one in fields(Fused))
ANSWERS_TOLERANCE = 1e-4

onnxruntime: Any = untyped_onnxruntime
ANEW = "export the bundle anew (`python -m trainer reexport`) or install the version that made it"
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

    def run(self, rows: Rows, pcm: Float32s) -> StepFrames:
        """rows [B], all different, and pcm [B, CONTEXT_SAMPLES + STEP_SAMPLES] -> their frames."""
        found = self._step.run({"pcm": pcm, **self._cache.inputs(rows)})
        embedding, attention, activity, *memory = found
        self._cache.scatter(rows, memory)
        return StepFrames(embedding, attention, activity)


class OrtStep:
    """The graph alone, memory in and memory out; `run` may be called from many threads at once.

    Each run takes one thread, which neither spins nor reports home. Parallelism comes from several
    threads that run at once: on few cores that is worth twice what threads inside an operator are,
    and a thread that spins starves the event loop.
    """

    def __init__(self, step_file: Path) -> None:
        self._session = _open(step_file)
        self.state_shape = self._read_state_shape(step_file)
        self._outputs = list(step_outputs(self.state_shape.layers))

    def run(self, feeds: Mapping[str, Array]) -> list[Float32s]:
        """The arrays of `step_inputs` -> those of `step_outputs`, in order, owned by the caller."""
        return self._session.run(self._outputs, feeds)

    def _read_state_shape(self, step_file: Path) -> StateShape:
        """Read one row's memory off the graph, so that no second description can disagree."""
        shapes = {one.name: tuple(one.shape[1:]) for one in self._session.get_inputs()}
        outputs = {one.name for one in self._session.get_outputs()}
        layers = sum(name.startswith("keys_") for name in shapes)
        wanted = step_inputs(layers or 1)
        given = step_outputs(layers or 1)
        if set(shapes) != set(wanted) or outputs != set(given):
            raise BundleError(
                f"{step_file}: want inputs {', '.join(wanted)} and outputs {', '.join(given)}; "
                f"found {', '.join(shapes)} and {', '.join(outputs)}: {ANEW}"
            )
        tails = {name: shapes[name] for name in tail_names(layers)}
        return StateShape(layers, shapes["keys_0"], tails)


class OrtAnswers:
    """What a `TraceModel` answers, in one run; `answer` may be called from many threads at once.

    Fused and with its weights laid out beforehand, it costs two thirds of what numpy does.
    """

    def __init__(self, answers_file: Path, model: TraceModel) -> None:
        self._session = _open(answers_file)
        given = {one.name for one in self._session.get_inputs()}
        made = {one.name for one in self._session.get_outputs()}
        if given != set(ANSWERS_INPUTS) or made != set(ANSWERS_OUTPUTS):
            raise BundleError(
                f"{answers_file}: want inputs {', '.join(ANSWERS_INPUTS)} and outputs "
                f"{', '.join(ANSWERS_OUTPUTS)}; found {', '.join(given)} and {', '.join(made)}: "
                f"{ANEW}"
            )
        worst = self.disagreement(model)
        if not worst <= ANSWERS_TOLERANCE:  # so that a worst that is no number is refused too
            raise BundleError(
                f"{answers_file}: it says other than bundle.json and heads.safetensors do, by "
                f"{worst:.2e}: {ANEW}"
            )

    def answer(self, statistics: Float32s, speech_ms: Rows) -> Fused:
        """[N, 2D], [N] -> answers [N], as `TraceModel.answer`."""
        feeds: dict[str, Array] = {"statistics": statistics, "speech_ms": speech_ms}
        return Fused(*self._session.run(list(ANSWERS_OUTPUTS), feeds))

    def disagreement(self, model: TraceModel) -> float:
        """The largest absolute difference of any answer from the model's own, in numpy."""
        noise = np.random.default_rng(0).standard_normal((5, 2 * model.width)).astype(np.float32)
        noise[:, model.width :] = np.abs(noise[:, model.width :])  # deviations
        speech_ms = np.array([0, 40, 400, 4_000, 40_000])
        ours, theirs = model.answer(noise, speech_ms), self.answer(noise, speech_ms)
        pairs = [(getattr(ours, name), getattr(theirs, name)) for name in ANSWERS_OUTPUTS]
        return float(np.max([np.abs(one - other).max() for one, other in pairs]))


def _open(file: Path) -> _Session:
    """A session for runs of one thread each, which neither spins nor reports home."""
    onnxruntime.set_default_logger_severity(FATAL_ONLY)
    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = FATAL_ONLY
    # In the order in which the graph is written: what is made is read while it is near.
    options.execution_order = onnxruntime.ExecutionOrder.PRIORITY_BASED
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as cause:
        raise BundleError(
            f"{file}: ONNX Runtime cannot load it ({cause}): export the bundle anew"
        ) from cause


class _Tensor(Protocol):
    """What is used of onnxruntime.NodeArg, which carries no types."""

    name: str
    shape: list[Any]


class _Session(Protocol):
    """What is used of onnxruntime.InferenceSession, which carries no types."""

    def run(self, output_names: list[str], input_feed: Mapping[str, Array]) -> list[Float32s]: ...

    def get_inputs(self) -> list[_Tensor]: ...

    def get_outputs(self) -> list[_Tensor]: ...
