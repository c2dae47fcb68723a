"""What surrounds a capture on a GPU, as far as a machine without one can show it."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
import torch

from streamtrace.encoder.gpu import GpuRunner
from streamtrace.encoder.gpu_device import (
    PlainDevice,
    Work,
    exact_arithmetic,
    fitting,
    uncollected,
)
from streamtrace.encoder.gpu_state import Precision
from streamtrace.errors import SettingsError
from tests.bundles import tiny_model

TOO_SMALL = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    RuntimeError("CUDA error: out of memory"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
]


@pytest.mark.parametrize("cause", TOO_SMALL)
@pytest.mark.parametrize(
    ("precision", "remedy"),
    [("fp32", "lower it, or set precision=bf16"), ("bf16", "lower it")],
)
def test_too_little_memory_is_a_setting_to_change_whoever_says_so(
    cause: RuntimeError, precision: Precision, remedy: str
) -> None:
    with pytest.raises(SettingsError, match=f"^slots=9: .*; {remedy}$"), fitting(9, precision):
        raise cause


def test_other_failures_are_left_as_they_are() -> None:
    with pytest.raises(RuntimeError, match="illegal memory access"), fitting(9, "fp32"):
        raise RuntimeError("CUDA error: an illegal memory access was encountered")


def test_nothing_is_collected_during_a_capture_and_as_before_behind_it() -> None:
    assert gc.isenabled()
    with uncollected():
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError), uncollected():
        raise ZeroDivisionError
    assert gc.isenabled()
    gc.disable()
    try:
        with uncollected():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


class Ring:
    """Only the collector frees it."""

    def __init__(self) -> None:
        self.myself = self


class WatchingDevice(PlainDevice):
    """Notes at each capture whether something is still there."""

    def __init__(self, watched: weakref.ref[Ring]) -> None:
        self.seen: list[bool] = []
        self._watched = watched

    def capture(self, work: Work) -> Work:
        """As ever."""
        self.seen.append(self._watched() is not None)
        return super().capture(work)


def test_what_earlier_runners_left_is_gone_before_the_first_capture() -> None:
    gc.disable()
    try:
        device = WatchingDevice(weakref.ref(Ring()))
        GpuRunner(tiny_model().bundle, slots=2, device=device, precision="fp32", most=2)
    finally:
        gc.enable()
    assert device.seen
    assert not any(device.seen)


@pytest.mark.parametrize("where", ["cuda.matmul", "cudnn.conv"])
def test_flags_that_exclude_ours_are_named(where: str) -> None:
    flags: Any = torch.backends
    for name in where.split("."):
        flags = getattr(flags, name)
    before = flags.fp32_precision
    flags.fp32_precision = "tf32" if where == "cuda.matmul" else "ieee"
    try:
        with (
            pytest.raises(
                SettingsError, match=rf"^torch\.backends\.{where.split('.')[0]}.*allow_tf32"
            ),
            exact_arithmetic(),
        ):
            pass
    finally:
        flags.fp32_precision = before
    with exact_arithmetic():
        assert not torch.backends.cuda.matmul.allow_tf32
