"""What steps the encoder here: a GPU where one can be used, and the reason in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal, TypeAlias

from streamtrace.encoder.bundle import Bundle
from streamtrace.encoder.cuda import cuda_absence
from streamtrace.encoder.runner import CpuRunner, StepRunner
from streamtrace.encoder.schedule import BatchRule
from streamtrace.errors import SettingsError

DeviceName: TypeAlias = Literal["auto", "cpu", "cuda"]
Precision: TypeAlias = Literal["fp32", "bf16"]
Library: TypeAlias = Literal["torch", "onnxruntime"]

# While one batch runs the next one gathers, so batches grow with the load by themselves. Waiting
# for company never pays: on a GPU a batch of one takes about as long as one of sixty-four.
GPU_RULE = BatchRule(most=512)
EXTRA = "pip install 'streamtrace[gpu]'"


@dataclass(frozen=True, slots=True)
class Backend:
    """What was chosen, and why."""

    device: Literal["cpu", "cuda"] = "cpu"
    precision: Precision = "fp32"
    library: Library = "onnxruntime"
    reason: str = "device=cpu"

    @property
    def text(self) -> str:
        """For logs and people."""
        return f"{self.device} in {self.precision} by {self.library}: {self.reason}"


ON_CPU = Backend()


def usable_library(precision: Precision) -> tuple[Library | None, str]:
    """What can drive a GPU here, and what keeps torch from it; without a GPU, nothing is loaded."""
    if absence := cuda_absence():
        return None, absence
    return library_beside(_torch_problem(), precision, has_bound=_has_bound)


def library_beside(
    torch_problem: str | None, precision: Precision, *, has_bound: Callable[[], bool]
) -> tuple[Library | None, str]:
    """Torch unless there is a problem with it; then ONNX Runtime, where that has CUDA."""
    if torch_problem is None:
        return "torch", ""
    if precision == "fp32" and has_bound():
        return "onnxruntime", torch_problem
    return None, torch_problem


def choose_backend(
    device: DeviceName,
    precision: Precision,
    *,
    usable: Callable[[Precision], tuple[Library | None, str]] = usable_library,
) -> Backend:
    """With `auto` the CPU steps in wherever torch cannot; with `cuda` SettingsError says why.

    ONNX Runtime's CUDA is never chosen unasked: it names that provider wherever it was built with
    it, and whether its libraries are there shows only when a session is opened.
    """
    if device == "cpu":
        if precision != "fp32":
            raise SettingsError(f"precision={precision}: want fp32 with device=cpu")
        return ON_CPU
    library, problem = usable(precision)
    if library == "torch" or (library is not None and device == "cuda"):
        return Backend("cuda", precision, library, f"device={device}")
    if device == "cuda":
        raise SettingsError(
            f"device=cuda: {problem}; {EXTRA} on a machine with an NVIDIA GPU, or set device=cpu"
        )
    remedy = f" ({EXTRA})" if library is not None else ""
    return Backend(reason=f"device=auto, {problem}{remedy}")


def open_runner(bundle: Bundle, backend: Backend, *, slots: int) -> StepRunner:
    """The runner that was chosen, with memory for so many legs."""
    if backend.device == "cpu":
        return CpuRunner(bundle, slots=slots)
    if backend.library == "onnxruntime":
        from streamtrace.encoder.bound import BoundRunner

        return BoundRunner(bundle, slots=slots, most=GPU_RULE.most)
    from streamtrace.encoder.gpu import GpuRunner
    from streamtrace.encoder.gpu_device import CudaDevice, fitting

    with fitting(slots, backend.precision):
        return GpuRunner(
            bundle,
            slots=slots,
            device=CudaDevice(),
            precision=backend.precision,
            most=GPU_RULE.most,
        )


def _torch_problem() -> str | None:
    if find_spec("torch") is None:
        return "torch is not installed"
    from streamtrace.encoder.gpu_device import torch_problem

    return torch_problem()


def _has_bound() -> bool:
    if find_spec("onnxruntime") is None:
        return False
    from streamtrace.encoder.bound import has_cuda

    return has_cuda()
