"""The same on a GPU: the torch step against its bare products, both replayed from CUDA graphs.

Without torch, or where torch sees no GPU, there is nothing to say.
"""

from __future__ import annotations

import importlib.util
import statistics
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from benchmarks.report import Measured
from streamtrace.encoder.bundle import Bundle

if TYPE_CHECKING:
    from torch import Tensor

    from streamtrace.encoder.step import CachedStep

BATCHES = (256, 1024, 4096)
PRODUCTS = ("mm", "addmm", "bmm", "convolution")
REPLAYS = 20


def cuda_figures(bundle: Bundle, rounds: int) -> tuple[dict[str, Measured], dict[str, float]]:
    """Milliseconds a batch in fp32 and bf16, and the step over its products."""
    if importlib.util.find_spec("torch") is None:
        return {}, {}
    import torch

    if not torch.cuda.is_available():
        return {}, {}
    from streamtrace.encoder.step import CachedStep
    from trainer.export import encoder_of

    results: dict[str, Measured] = {}
    ratios: dict[str, float] = {}
    encoder = encoder_of(bundle).cuda()
    for dtype in (torch.float32, torch.bfloat16):
        step = CachedStep(encoder, dtype=dtype).cuda()
        for batch in BATCHES:
            inputs = step_inputs(step, batch)
            name = f"cuda_{str(dtype).removeprefix('torch.')}_b{batch}"
            with torch.no_grad():
                products = products_of(step, inputs)
                replays = [
                    _captured(lambda step=step, inputs=inputs: step(*inputs)),
                    _captured(lambda products=products: [one() for one in products]),
                ]
            held = [[_replay_ms(replay) for replay in replays] for _ in range(rounds)]
            over = [whole / bare for whole, bare in held]
            results[f"step_{name}"] = Measured([one[0] for one in held], "ms a batch")
            results[f"products_{name}"] = Measured([one[1] for one in held], "ms a batch")
            ratios[f"step_over_gemm_{name}"] = round(statistics.median(over), 3)
    return results, ratios


def step_inputs(step: CachedStep, batch: int) -> tuple[Any, ...]:
    """Noise, and legs that have filled their rings, where the step lies."""
    import torch

    from streamtrace.values import CONTEXT_SAMPLES, STEP_SAMPLES

    state = step.initial_state(batch)
    state.steps_done.fill_(9)
    at = state.steps_done.device
    pcm = 0.1 * torch.randn(batch, CONTEXT_SAMPLES + STEP_SAMPLES, device=at)
    return (pcm, *state)


def products_of(step: CachedStep, inputs: tuple[Any, ...]) -> list[Callable[[], Tensor]]:
    """Every matrix product and full convolution of a step, on tensors of its own."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    seen: list[Callable[[], Tensor]] = []

    class Watch(TorchDispatchMode):
        """Notes each product and lets it pass."""

        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            made = func(*args, **(kwargs or {}))
            name = func.name().removeprefix("aten::").partition(".")[0]
            depthwise = name == "convolution" and args[8] > 1
            if name in PRODUCTS and not depthwise:
                own = [one.clone() if isinstance(one, torch.Tensor) else one for one in args]
                seen.append(lambda: func(*own))
            return made

    with Watch():
        step(*inputs)
    return seen


def _captured(work: Callable[[], object]) -> Any:
    import torch

    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        for _ in range(3):
            work()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    return graph


def _replay_ms(graph: Any) -> float:
    import torch

    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    for _ in range(REPLAYS):
        graph.replay()
    end.record()
    torch.cuda.synchronize()
    return start.elapsed_time(end) / REPLAYS
