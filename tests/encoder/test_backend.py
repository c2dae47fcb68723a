"""Which backend is chosen: the CPU unless a GPU can be used, and words where it cannot."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from streamtrace.encoder.backend import (
    GPU_RULE,
    ON_CPU,
    Library,
    Precision,
    choose_backend,
    library_beside,
    open_runner,
    usable_library,
)
from streamtrace.encoder.cuda import cuda_absence
from streamtrace.encoder.gpu_device import problem_on
from streamtrace.encoder.runner import CpuRunner
from streamtrace.engine import Engine
from streamtrace.errors import SettingsError
from tests.bundles import tiny_model

without_gpu = pytest.mark.skipif(cuda_absence() is None, reason="there is a GPU")


def test_the_cpu_on_demand() -> None:
    assert choose_backend("cpu", "fp32") == ON_CPU
    assert isinstance(open_runner(tiny_model().bundle, ON_CPU, slots=1), CpuRunner)
    with pytest.raises(SettingsError, match="precision=bf16: want fp32 with device=cpu"):
        choose_backend("cpu", "bf16")


@without_gpu
def test_auto_without_a_gpu_is_the_cpu_and_says_why() -> None:
    for precision in ("fp32", "bf16"):
        backend = choose_backend("auto", precision)
        assert (backend.device, backend.precision) == ("cpu", "fp32")
        assert backend.text.startswith("cpu in fp32 by onnxruntime: device=auto, no NVIDIA")
    assert Engine(tiny_model().bundle.path, slots=1).backend.device == "cpu"


@without_gpu
def test_cuda_without_a_gpu_is_refused_with_the_remedy() -> None:
    with pytest.raises(SettingsError, match=r"device=cuda: no NVIDIA.*streamtrace\[gpu\]") as error:
        Engine(tiny_model().bundle.path, slots=1, device="cuda")
    assert error.value.exit_code == 2


@without_gpu
def test_asking_for_a_gpu_that_is_not_there_loads_no_torch() -> None:
    program = (
        "import sys; from streamtrace.engine import Engine;"
        "engine = Engine(slots=1, workers=2, device='auto', precision='bf16');"
        "print(engine.encoder.workers, 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("2 False\n", "")


def bound_only(_: Precision) -> tuple[Library | None, str]:
    """A machine with a GPU whose torch, if any, is of no use for it."""
    return "onnxruntime", "torch is not installed"


def test_auto_never_chooses_a_provider_that_nobody_has_tried() -> None:
    backend = choose_backend("auto", "fp32", usable=bound_only)
    assert backend.device == "cpu"
    assert backend.reason == "device=auto, torch is not installed (pip install 'streamtrace[gpu]')"
    asked = choose_backend("cuda", "fp32", usable=bound_only)
    assert (asked.device, asked.library) == ("cuda", "onnxruntime")


def test_a_torch_without_cuda_hides_no_other_library() -> None:
    built_without = "torch 2.9.0+cpu was built without CUDA"
    for has_bound, library in ((True, "onnxruntime"), (False, None)):
        found = library_beside(built_without, "fp32", has_bound=lambda has=has_bound: has)
        assert found == (library, built_without)
    assert library_beside(built_without, "bf16", has_bound=lambda: True) == (None, built_without)
    assert library_beside(None, "fp32", has_bound=lambda: True) == ("torch", "")


def test_a_device_that_fails_at_its_first_sum_is_not_used() -> None:
    assert problem_on(torch.device("cpu")) is None
    problem = problem_on(torch.device("meta"))  # which has no numbers to give back
    assert problem is not None
    assert "finds meta and cannot use it: " in problem
    assert "\n" not in problem


def test_under_wsl_the_gpu_has_another_node(tmp_path: Path) -> None:
    nodes = (tmp_path / "nvidiactl", tmp_path / "dxg")
    assert (cuda_absence(nodes) or "").startswith("no NVIDIA device")
    nodes[1].touch()
    assert not (cuda_absence(nodes) or "").startswith("no NVIDIA device")


@pytest.mark.gpu
async def test_auto_with_a_gpu_is_the_gpu_and_one_thread_owns_it() -> None:
    library, problem = usable_library("fp32")
    if library != "torch":
        pytest.skip(problem)
    async with Engine(slots=64, workers=3) as engine:
        assert engine.backend.device == "cuda"
        assert engine.encoder.workers == 1


def test_a_gpu_never_waits_for_company() -> None:
    assert GPU_RULE.budget_s == GPU_RULE.spread_s == 0
