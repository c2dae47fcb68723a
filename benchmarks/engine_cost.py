"""What the engine itself costs a call: features, encoder, tracing and fusion, and the peers'."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from benchmarks.paced import CountingRunner, Paced, cut_voice, pace_engine, pacing_alone
from benchmarks.report import Measured, ratio_of
from streamtrace.demo.callers import synthetic_callers
from streamtrace.encoder.batcher import Encoder
from streamtrace.encoder.bundle import Bundle
from streamtrace.encoder.runner import CpuRunner
from streamtrace.errors import StreamTraceError

PEERS = "benchmarks.peers.cost"
PACING_S = 2.0


@dataclass(slots=True)
class EngineCost:
    """Measured in turns: one value for each repetition, of each number of legs and each peer."""

    state_bytes: int
    runs: dict[int, list[Paced]] = field(default_factory=dict[int, list[Paced]])
    pacing_s: dict[int, float] = field(default_factory=dict[int, float])  # for each step
    peers: dict[str, Measured] = field(default_factory=dict[str, Measured])

    def cpu_ms_per_call_s(self, legs: int) -> Measured:
        """The encoder's threads, and the event loop's thread less what the pacing alone takes."""
        return Measured([self._cost_ms(run) for run in self.runs[legs]], "ms")

    def results(self) -> dict[str, Measured]:
        """Under the keys of the report; the largest number of legs is the one that counts."""
        largest = max(self.runs)
        found = {"engine_cpu_ms_per_call_s": self.cpu_ms_per_call_s(largest)}
        for legs, runs in sorted(self.runs.items()):
            if legs != largest:
                found[f"engine_cpu_ms_per_call_s_at_{legs}"] = self.cpu_ms_per_call_s(legs)
            found[f"loop_share_cpu_ms_per_call_s_at_{legs}"] = Measured(
                [self._loop_ms(run) for run in runs], "ms"
            )
            found[f"rows_per_batch_at_{legs}"] = Measured(
                [run.rows_per_batch for run in runs], "rows"
            )
            found[f"step_latency_p99_ms_at_{legs}"] = Measured(
                [run.latency_at(99) for run in runs], "ms"
            )
        found |= {f"{name}_cpu_ms_per_call_s": cost for name, cost in self.peers.items()}
        found["state_bytes_per_leg"] = Measured([self.state_bytes], "bytes")
        return found

    def ratios(self) -> dict[str, Measured]:
        """Repetition by repetition."""
        ours = self.cpu_ms_per_call_s(max(self.runs))
        found: dict[str, Measured] = {}
        if "aasist" in self.peers:
            found["aasist_sliding_window"] = ratio_of(self.peers["aasist"], ours)
        if "reencode" in self.peers:
            found["reencode_window"] = ratio_of(self.peers["reencode"], self.peers["cached_step"])
        return found

    def _cost_ms(self, run: Paced) -> float:
        return 1000 * run.workers_s / run.call_s + self._loop_ms(run)

    def _loop_ms(self, run: Paced) -> float:
        pacing_s = self.pacing_s[run.legs] * run.rows
        return 1000 * max(0.0, run.loop_s - pacing_s) / run.call_s


async def measure_engine(
    bundle: Bundle,
    counts: Sequence[int],
    *,
    seconds: float,
    repetitions: int,
    with_peers: bool = True,
    pacing_s: float = PACING_S,
) -> EngineCost:
    """Each number of legs and each peer in turns, so that what else the machine does hits all."""
    voices = [cut_voice(caller.pcm) for caller in synthetic_callers()]
    runner = CountingRunner(CpuRunner(bundle, slots=max(counts)))
    cost = EngineCost(runner.state_bytes_per_row, {count: [] for count in counts})
    contenders = _contenders(bundle) if with_peers else {}
    turns = {name: [list[float]() for _ in group] for name, group in contenders.items()}
    async with Encoder(runner, slots=max(counts)) as encoder:
        for count in counts:
            cost.pacing_s[count] = await pacing_alone(voices, count, pacing_s)
        for number in range(repetitions):
            _say(f"engine: {number + 1} of {repetitions}, {counts} legs for {seconds:g} s each")
            for count in counts:
                cost.runs[count].append(await pace_engine(encoder, runner, voices, count, seconds))
            for name, group in contenders.items():
                for contender, values in zip(group, turns[name], strict=True):
                    values.append(contender.turn())
    for name, values in turns.items():
        cost.peers[name] = Measured(min(values, key=lambda one: sorted(one)[len(one) // 2]), "ms")
    return cost


def _contenders(bundle: Bundle) -> dict[str, list[Any]]:
    """What we are compared with, at each batch size; nothing where it cannot be made."""
    if find_spec("benchmarks.peers") is None:
        _say("this checkout has no benchmarks/peers: the ratios to the peers are left out")
        return {}
    peers = importlib.import_module(PEERS)
    try:
        return {
            "aasist": [peers.sliding_aasist(batch=batch) for batch in peers.BATCHES],
            "reencode": [peers.reencoding(bundle, batch=batch) for batch in peers.BATCHES],
            "cached_step": [peers.cached_steps(bundle, batch=batch) for batch in peers.BATCHES],
        }
    except StreamTraceError as missing:
        _say(f"{missing}; the ratios to the peers are left out")
        return {}


def _say(text: str) -> None:
    print(f"bench capacity: {text}", file=sys.stderr)
