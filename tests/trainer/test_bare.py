"""A machine that only trains needs torch, numpy and safetensors: nothing else may be asked for."""

from __future__ import annotations

import subprocess
import sys

from tests.trainer.runs import ROOT

BARE = """
import sys

LACKED = {"pydantic", "pydantic_settings", "structlog", "soxr", "av", "sklearn", "scipy", "tqdm",
          "pyworld", "onnx", "onnxruntime", "onnxscript", "fastapi", "prometheus_client", "typer"}

class Bare:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] not in LACKED:
            return self.finder.find_spec(name, path, target)

sys.meta_path[:] = [Bare(finder) for finder in sys.meta_path]
"""
TRAINING = "import trainer.train, trainer.config, trainer.dataset, trainer.__main__"
ON_A_GPU = "import streamtrace.encoder.gpu, streamtrace.encoder.backend, streamtrace.encoder.runner"


def test_training_imports_torch_numpy_and_safetensors_only() -> None:
    done = subprocess.run(
        [sys.executable, "-c", BARE + TRAINING],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_gpu_steps_with_torch_numpy_and_safetensors_only() -> None:
    done = subprocess.run(
        [sys.executable, "-c", BARE + ON_A_GPU],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
