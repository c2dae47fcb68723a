"""What the encoder's step costs over its bare matrix products, both on one device in one run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from streamtrace.encoder.bundle import Bundle
from streamtrace.encoder.gpu_device import Device, Work
from streamtrace.encoder.gpu_state import EncoderRows, Precision, load_encoder
from streamtrace.values import CONTEXT_SAMPLES, STEP_SAMPLES

PRODUCTS = {"mm", "addmm", "bmm", "baddbmm", "convolution"}
ROUNDS, REPLAYS = 5, 10


def step_over_gemm(bundle: Bundle, device: Device, precision: Precision, batch: int) -> float:
    """The median, over rounds that alternate the two, of their times' ratio."""
    rows = EncoderRows(load_encoder(bundle, device.place, precision), batch)
    places = torch.arange(batch, device=device.place)
    samples = CONTEXT_SAMPLES + STEP_SAMPLES
    pcm = 0.1 * torch.randn(batch, samples, device=device.place)

    def step() -> None:
        with torch.no_grad():
            rows.step(places, places, pcm)

    with Products() as products:
        step()

    def multiply() -> None:
        with torch.no_grad():
            for product in products.found:
                product()

    captured = device.capture(step), device.capture(multiply)
    ratios: list[float] = []
    for _ in range(ROUNDS):
        ours, bare = (_seconds(device, work) for work in captured)
        ratios.append(ours / bare)
    return statistics.median(ratios)


class Products(TorchDispatchMode):
    """While entered, keeps every matrix product that is computed, with its operands."""

    def __init__(self) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType]
        self.found: list[Callable[[], Any]] = []

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Let it be computed, and keep it if it is a product."""
        named = kwargs or {}
        if func.overloadpacket.__name__ in PRODUCTS:
            self.found.append(lambda: func(*args, **named))
        return func(*args, **named)


def _seconds(device: Device, work: Work) -> float:
    began_s = time.perf_counter()
    for _ in range(REPLAYS):
        work()
    device.mark().wait()
    return (time.perf_counter() - began_s) / REPLAYS
