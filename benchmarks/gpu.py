"""`python -m benchmarks.gpu`: how many streams one GPU steps in time, fed from memory.

Every step period each stream delivers one step. Batches go through the runner's arrays one behind
the other, the next one given before the last is collected, with no work per call in Python: what
is left out is the network, the codecs and the sessions in front of it.

`streams_held` is the largest number of streams whose whole period fits into a step period, with
99 of 100 batches answered within half of one. Keys with `_served` say the same of the shape that a
server runs: batches of at most 512, each collected before the next is given.
`step_over_gemm` is the encoder's step in one graph against nothing but its matrix products in
another.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from benchmarks.gemm import step_over_gemm
from benchmarks.report import Measured, Report, as_markdown
from streamtrace.encoder.backend import GPU_RULE, Precision, usable_library
from streamtrace.encoder.bundle import Bundle, load_bundle
from streamtrace.encoder.gpu import GpuRunner, Ticket
from streamtrace.encoder.gpu_device import CudaDevice, Device, PlainDevice
from streamtrace.encoder.runner import StepBatch
from streamtrace.values import (
    CONTEXT_SAMPLES,
    HOP_STEPS,
    STEP_FRAMES,
    STEP_MS,
    STEP_SAMPLES,
    Float32s,
)

STREAMS = (10_000, 20_000, 50_000)
GEMM_BATCHES = (256, 1024, 4096)
LARGEST_BATCH = 4096
WARM_PERIODS = 2
SERVED = "_served"  # behind the keys of what a server does


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the outcome; 2 where there is no GPU and none was asked to be done without."""
    wish = _parser().parse_args(arguments)
    open_device: Callable[[], Device] = PlainDevice
    if wish.device == "cuda":
        library, problem = usable_library("bf16")  # which torch alone can
        if library is None:
            print(f"benchmarks.gpu: {problem}: nothing was measured", file=sys.stderr)
            return 2
        open_device = CudaDevice
    bundle = load_bundle(wish.model)
    found = measure(
        bundle,
        open_device,
        precision=wish.precision,
        streams=wish.streams,
        most=wish.batch,
        periods=wish.periods,
        rounds=wish.rounds,
        gemm_batches=wish.gemm,
    ).as_json()
    print(json.dumps(found, indent=2) if wish.json else as_markdown(found))
    return 0


def measure(
    bundle: Bundle,
    open_device: Callable[[], Device],
    *,
    precision: Precision,
    streams: Sequence[int],
    most: int,
    periods: int,
    rounds: int,
    gemm_batches: Sequence[int],
) -> Report:
    """All of it, for each number of streams on a runner and a device of its own."""
    results: dict[str, Measured] = {}
    held = {"": 0, SERVED: 0}
    for count in streams:
        device = open_device()  # whose graphs' memory goes with the runner
        began_s = time.perf_counter()
        runner = GpuRunner(bundle, slots=count, device=device, precision=precision, most=most)
        results[f"start_s_{count}"] = Measured([time.perf_counter() - began_s], "s")
        for shape, largest in (("", most), (SERVED, min(most, GPU_RULE.most))):
            took = [
                time_periods(runner, count, periods, most=largest, overlapping=shape != SERVED)
                for _ in range(rounds)
            ]
            for name, percentile in (("p50", 50), ("p99", 99)):
                values = [1000 * float(np.percentile(steps, percentile)) for steps, _ in took]
                results[f"step_{name}_ms_{count}{shape}"] = Measured(values, "ms")
            busy_ms = [1000 * whole / periods for _, whole in took]
            results[f"period_ms_{count}{shape}"] = Measured(busy_ms, f"ms, of {STEP_MS}")
            slowest_ms = max(results[f"step_p99_ms_{count}{shape}"].values)
            if slowest_ms < STEP_MS / 2 and max(busy_ms) < STEP_MS:
                held[shape] = max(held[shape], count)
        going, coming = runner.block_bytes(runner.buckets.most)
        rows = runner.buckets.most
        results["to_device_bytes_per_step"] = Measured([going / rows], "B")
        results["to_host_bytes_per_step"] = Measured([coming / rows], "B")
        results["state_bytes_per_leg"] = Measured([runner.state_bytes_per_row], "B")
        if device.place.type == "cuda":
            peak = torch.cuda.max_memory_allocated(device.place)
            results[f"device_bytes_per_leg_{count}"] = Measured([peak / count], "B")
        runner.close()
        del runner
        gc.collect()  # a runner and its graphs hold each other
        if device.place.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device.place)
    for shape, count in held.items():
        results[f"streams_held{shape}"] = Measured([count], "streams")
    device = open_device()
    ratios = {
        f"step_over_gemm_{batch}": step_over_gemm(bundle, device, precision, batch)
        for batch in gemm_batches
    }
    settings = {
        "device": _name(device),
        "precision": precision,
        "largest batch": most,
        "largest batch served": min(most, GPU_RULE.most),
        "periods": periods,
        "rounds": rounds,
        "model": bundle.ref.id,
    }
    return Report("gpu", settings, results, ratios)


def time_periods(
    runner: GpuRunner, streams: int, periods: int, *, most: int, overlapping: bool
) -> tuple[list[float], float]:
    """From each batch ready to its answers on the host, and all periods together, in seconds."""
    runner.reset(np.arange(streams))
    most = min(most, runner.buckets.most)
    pcm = noise(min(streams, most))
    warm, timed = (
        batches(streams, most, indices, pcm)
        for indices in (range(WARM_PERIODS), range(WARM_PERIODS, WARM_PERIODS + periods))
    )
    for _ in _stepped(runner, warm, overlapping=overlapping):
        pass
    began_s = time.perf_counter()
    steps = list(_stepped(runner, timed, overlapping=overlapping))
    return steps, time.perf_counter() - began_s


def _stepped(
    runner: GpuRunner, given: Iterator[StepBatch], *, overlapping: bool
) -> Iterator[float]:
    """Run the batches; gives each one's time, with two under way at any moment or with one."""
    before: tuple[Ticket, float] | None = None
    for batch in given:
        ready_s = time.perf_counter()
        after = (runner.submit(batch), ready_s)
        if not overlapping:
            runner.collect(after[0])
            yield time.perf_counter() - ready_s
            continue
        if before is not None:
            runner.collect(before[0])
            yield time.perf_counter() - before[1]
        before = after
    if before is not None:
        runner.collect(before[0])
        yield time.perf_counter() - before[1]


def noise(rows: int) -> Float32s:
    """A step of audio for so many; making it takes longer than stepping it."""
    rng = np.random.default_rng(0)
    return 0.1 * rng.standard_normal((rows, CONTEXT_SAMPLES + STEP_SAMPLES), np.float32)


def batches(streams: int, most: int, indices: range, pcm: Float32s) -> Iterator[StepBatch]:
    """A step of each stream per index, in batches of about one size; half of them end a hop."""
    parts = np.array_split(np.arange(streams), -(-streams // most))
    for index in indices:
        for rows in parts:
            count = len(rows)
            yield StepBatch(
                rows=rows.astype(np.int64),
                pcm=pcm[:count],
                index=np.full(count, index, np.int64),
                usable=np.ones((count, STEP_FRAMES), np.bool_),
                fresh=np.full(count, index == 0),
                wanted=(rows + index) % HOP_STEPS == 0,
            )


def _name(device: Device) -> str:
    if device.place.type == "cuda":
        return torch.cuda.get_device_name(device.place)
    return "none: the CPU, without graphs"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--streams", type=_numbers, default=STREAMS, help="how many, by commas")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="bf16")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--batch", type=int, default=LARGEST_BATCH, help="rows of the largest")
    parser.add_argument("--gemm", type=_numbers, default=GEMM_BATCHES, help="batches, by commas")
    parser.add_argument("--periods", type=int, default=40, help="steps of each stream in a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", type=Path, default=None)
    parser.add_argument("--json", action="store_true")
    return parser


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


if __name__ == "__main__":
    sys.exit(main())
