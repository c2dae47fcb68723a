"""CPU time per second of call audio of each peer, taken in turns so that noise hits all alike.

    turns = take_turns([sliding_aasist(), reencoding(bundle), cached_steps(bundle)], repetitions=5)

Times are those of the calling thread, which does all the work, whatever else the machine does.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.peers.graphs import need_exporters
from benchmarks.peers.reencode import WINDOW_SAMPLES as REENCODED_SAMPLES, WindowEncoder
from benchmarks.peers.sliding import WINDOW_SAMPLES as SLIDING_SAMPLES, SlidingAasist
from streamtrace.encoder.bundle import Bundle, load_bundle
from streamtrace.encoder.cpu import OrtStepRunner
from streamtrace.values import (
    CONTEXT_SAMPLES,
    HOP_STEPS,
    STEP_MS,
    STEP_SAMPLES,
    Float32s,
)

BATCHES = (1, 4)  # of windows at once: the cheaper one counts
SLIDE_S = 1.0  # AASIST answers each second
HOP_S = HOP_STEPS * STEP_MS / 1000
STEP_S = STEP_MS / 1000


@dataclass(frozen=True, slots=True)
class Contender:
    """Something that answers for calls, and how much call audio one run of it pays for."""

    name: str
    batch: int  # calls at once
    call_s: float  # of one call
    run: Callable[[], object]
    runs_per_turn: int = 1

    def turn(self) -> float:
        """CPU milliseconds per second of a call, over one turn."""
        self.run()  # the one before has emptied the processor's caches
        before = time.thread_time()
        for _ in range(self.runs_per_turn):
            self.run()
        spent_ms = 1000 * (time.thread_time() - before)
        return spent_ms / (self.runs_per_turn * self.batch * self.call_s)


def take_turns(contenders: Sequence[Contender], repetitions: int) -> list[list[float]]:
    """CPU ms per call-second of every contender, in order, one value for each repetition."""
    found: list[list[float]] = [[] for _ in contenders]
    for _ in range(repetitions):
        for contender, values in zip(contenders, found, strict=True):
            values.append(contender.turn())
    return found


def cheapest(measured: Sequence[list[float]]) -> list[float]:
    """The measurement with the lowest median."""
    return min(measured, key=statistics.median)


def sliding_aasist(
    network: str = "AASIST", *, batch: int = 1, checkpoint: Path | None = None
) -> Contender:
    """AASIST (or `AASIST-L`) on the last 4 s, each second, in ONNX Runtime."""
    peer = SlidingAasist(network, checkpoint)
    pcm = _noise(batch, SLIDING_SAMPLES)
    return Contender(network, batch, SLIDE_S, lambda: peer.run(pcm))


def eager_aasist(network: str = "AASIST", *, batch: int = 1) -> Contender:
    """The same in PyTorch as it is written, on one thread."""
    need_exporters()
    import torch

    from trainer.baselines.aasist import CONFIGS, load_aasist

    model = load_aasist(CONFIGS[network])
    pcm = torch.as_tensor(_noise(batch, SLIDING_SAMPLES))

    def run() -> object:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            with torch.inference_mode():
                return model(pcm)
        finally:
            torch.set_num_threads(threads)

    return Contender(f"{network} eager", batch, SLIDE_S, run)


def reencoding(bundle: Bundle, *, batch: int = 1) -> Contender:
    """Our encoder over the whole window of 3.84 s, each hop."""
    peer = WindowEncoder(bundle)
    pcm = _noise(batch, REENCODED_SAMPLES)
    return Contender("reencode", batch, HOP_S, lambda: peer.run(pcm), runs_per_turn=2)


def cached_steps(bundle: Bundle, *, batch: int = 1) -> Contender:
    """Our encoder as it serves: each step of 240 ms once, memory gathered and put back."""
    runner = OrtStepRunner(bundle.step_path, slots=batch)
    rows = np.arange(batch)
    pcm = _noise(batch, CONTEXT_SAMPLES + STEP_SAMPLES)
    return Contender("cached", batch, STEP_S, lambda: runner.run(rows, pcm), runs_per_turn=16)


def aasist_cpu_ms_per_call_s(
    repetitions: int,
    *,
    network: str = "AASIST",
    batches: Sequence[int] = BATCHES,
    checkpoint: Path | None = None,
) -> list[float]:
    """Of the cheapest batch: one value a repetition. `PeerUnavailable` without `train`."""
    contenders = [sliding_aasist(network, batch=batch, checkpoint=checkpoint) for batch in batches]
    return cheapest(take_turns(contenders, repetitions))


def reencode_cpu_ms_per_call_s(
    repetitions: int, *, bundle: Bundle | None = None, batches: Sequence[int] = BATCHES
) -> list[float]:
    """Of the cheapest batch: one value a repetition. `PeerUnavailable` without `train`."""
    bundle = bundle or load_bundle()
    contenders = [reencoding(bundle, batch=batch) for batch in batches]
    return cheapest(take_turns(contenders, repetitions))


def _noise(*shape: int) -> Float32s:
    return (0.1 * np.random.default_rng(0).standard_normal(shape)).astype(np.float32)
