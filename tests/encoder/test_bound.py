"""The step with bound memory, on the CPU's provider: the same numbers at any batch size."""

from __future__ import annotations

import numpy as np
import pytest

from streamtrace.encoder.bound import BoundRunner, has_cuda
from streamtrace.encoder.cuda import cuda_absence
from streamtrace.encoder.runner import CpuRunner
from streamtrace.errors import SettingsError
from tests.bundles import default_bundle, tiny_model
from tests.encoder.test_gpu import BACKEND_TOLERANCE, agree, demo_batches, noisy


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_bound_memory_changes_nothing(count: int) -> None:
    bundle = tiny_model().bundle
    ours, theirs = BoundRunner(bundle, slots=6, most=6, place="cpu"), CpuRunner(bundle, slots=6)
    for index in range(6):
        batch = noisy([5, 1, 0, 3, 2][:count], index)
        agree(ours.run(batch), theirs.run(batch), 1e-5)
    ours.reset([5])
    theirs.reset([5])
    agree(ours.answer(np.arange(6)), theirs.answer(np.arange(6)), 1e-5)
    assert ours.state_bytes_per_row == theirs.state_bytes_per_row


def test_buckets_of_several_sizes_share_nothing() -> None:
    bundle = tiny_model().bundle
    ours, theirs = BoundRunner(bundle, slots=6, most=6, place="cpu"), CpuRunner(bundle, slots=6)
    for index in range(4):
        for rows in ([0, 1, 2], [5], [3, 4]):
            batch = noisy(rows, index)
            agree(ours.run(batch), theirs.run(batch), 1e-5)


@pytest.mark.skipif(has_cuda(), reason="ONNX Runtime was built with CUDA")
def test_without_cuda_in_onnx_runtime_the_remedy_is_told_before_anything_is_tried() -> None:
    with pytest.raises(
        SettingsError, match=r"device=cuda: ONNX Runtime cannot.*streamtrace\[gpu\]"
    ):
        BoundRunner(tiny_model().bundle, slots=1, most=1)


@pytest.mark.gpu
@pytest.mark.skipif(cuda_absence() is not None or not has_cuda(), reason="no CUDA provider")
def test_on_a_gpu_the_packaged_model_says_the_same() -> None:
    bundle = default_bundle()
    ours, theirs = BoundRunner(bundle, slots=4, most=4), CpuRunner(bundle, slots=4)
    for batch in demo_batches([2, 0, 1]):
        agree(ours.run(batch), theirs.run(batch), BACKEND_TOLERANCE)
