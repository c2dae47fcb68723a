"""The exported step on a GPU without torch: ONNX Runtime's CUDA provider, with memory bound to it.

Second best, and for machines where torch is not installed: the legs' memory stays on the host and
travels with each batch, which costs more than the step itself.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, Literal

import numpy as np

from streamtrace.encoder.buckets import Buckets
from streamtrace.encoder.bundle import Bundle
from streamtrace.encoder.cache import Array, Cache, Rows
from streamtrace.encoder.cpu import FATAL_ONLY, OrtStep, OrtStepRunner, onnxruntime
from streamtrace.encoder.runner import CpuRunner
from streamtrace.errors import SettingsError
from streamtrace.values import Float32s

Place = Literal["cuda", "cpu"]
PROVIDERS: dict[Place, tuple[str, dict[str, str]]] = {
    # TF32 would round where every other backend does not.
    "cuda": ("CUDAExecutionProvider", {"use_tf32": "0", "cudnn_conv_algo_search": "DEFAULT"}),
    "cpu": ("CPUExecutionProvider", {}),
}
NOT_LOADED = (
    "device=cuda: ONNX Runtime cannot load its CUDA provider: install CUDA and cuDNN, "
    "or pip install 'streamtrace[gpu]'"
)


def has_cuda() -> bool:
    """Whether this ONNX Runtime was built with CUDA; that its libraries load is seen on opening."""
    return PROVIDERS["cuda"][0] in onnxruntime.get_available_providers()


class BoundStep(OrtStep):
    """`OrtStep` on a provider's own memory, from one thread; batches are filled up to buckets.

    Buffers are made when a bucket is first used, so addresses and shapes stay what they were.
    """

    def __init__(self, step_file: Path, *, most: int, place: Place = "cuda") -> None:
        super().__init__(step_file)  # which checks names and shapes
        provider, options = PROVIDERS[place]
        if place == "cuda":
            _find_cuda()
        quiet = onnxruntime.SessionOptions()
        quiet.log_severity_level = FATAL_ONLY
        self._bound: Any = onnxruntime.InferenceSession(
            str(step_file), quiet, providers=[(provider, options)]
        )
        if self._bound.get_providers()[0] != provider:
            raise SettingsError(NOT_LOADED)
        self._place = place
        self._buckets = Buckets.up_to(most)
        self._inputs: dict[int, dict[str, Any]] = {}  # by bucket
        self._bindings: dict[int, Any] = {}

    def run(self, feeds: Mapping[str, Array]) -> list[Float32s]:
        """As `OrtStep.run`; of the legs' memory only the batch's own rows travel."""
        rows: Rows = np.asarray(feeds["rows"], np.int64)
        count = len(rows)
        own: dict[str, Array] = {"rows": np.arange(count, dtype=np.int64)}
        for name, array in feeds.items():
            if name != "rows":
                own[name] = array if name == "pcm" else array[rows]
        feeds = own
        size = self._buckets.holding(count)
        if size not in self._bindings:
            self._bind(size, feeds)
        for name, array in feeds.items():
            padded = np.zeros((size, *array.shape[1:]), array.dtype)
            padded[:count] = array
            self._inputs[size][name].update_inplace(padded)
        binding = self._bindings[size]
        self._bound.run_with_iobinding(binding)
        binding.synchronize_outputs()
        return [output.numpy()[:count] for output in binding.get_outputs()]

    def _bind(self, size: int, feeds: Mapping[str, Array]) -> None:
        binding = self._bound.io_binding()
        self._inputs[size] = {}
        for name, array in feeds.items():
            shape = (size, *array.shape[1:])
            there = onnxruntime.OrtValue.ortvalue_from_shape_and_type(
                shape, array.dtype.type, self._place, 0
            )
            binding.bind_ortvalue_input(name, there)
            self._inputs[size][name] = there
        for output in self._bound.get_outputs():
            there = onnxruntime.OrtValue.ortvalue_from_shape_and_type(
                (size, *output.shape[1:]), np.float32, self._place, 0
            )
            binding.bind_ortvalue_output(output.name, there)
        self._bindings[size] = binding


class BoundFrames(OrtStepRunner):
    """`OrtStepRunner` over a `BoundStep`."""

    def __init__(self, step: BoundStep, *, slots: int) -> None:
        self._step = step
        self._cache = Cache(step.state_shape, slots)


class BoundRunner(CpuRunner):
    """A `StepRunner`: the exported step on the GPU; pooling and fusion stay on the CPU."""

    def __init__(self, bundle: Bundle, *, slots: int, most: int, place: Place = "cuda") -> None:
        step = BoundStep(bundle.step_path, most=most, place=place)
        super().__init__(bundle, slots=slots, frames=BoundFrames(step, slots=slots))


def _find_cuda() -> None:
    """Load CUDA and cuDNN from where pip puts them, which the provider does not look through."""
    if not has_cuda():
        raise SettingsError(NOT_LOADED)
    load = getattr(onnxruntime, "preload_dlls", None)  # since ONNX Runtime 1.21
    if load is not None:
        with redirect_stdout(sys.stderr):  # it prints what it misses
            load()
