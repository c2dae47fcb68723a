"""Where the time of a live step goes: `python -m benchmarks.profile [--legs N] [--seconds S]`.

Writes benchmarks/results/profile.md: the parts of the engine with many legs paced in real time,
and ONNX Runtime's own account of the step, by operator.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.event_loop import need_linux, run as run_loop
from benchmarks.operators import Operator, operator_times
from benchmarks.paced import CountingRunner, Paced, cut_voice, pace_engine, pacing_alone
from benchmarks.report import commit, load_average, machine
from benchmarks.stopwatch import Section, Stopwatch, timing
from streamtrace.demo.callers import synthetic_callers
from streamtrace.encoder.batcher import Encoder
from streamtrace.encoder.bundle import Bundle, load_bundle
from streamtrace.encoder.cache import Cache
from streamtrace.encoder.cpu import OrtAnswers, OrtStep, OrtStepRunner
from streamtrace.encoder.runner import CpuRunner, StepBatch
from streamtrace.fusion.tracer import Answers
from streamtrace.tracing.heard import HeardRows
from streamtrace.values import STEP_MS

SECTIONS = (
    Section("batch assembly: steps side by side", StepBatch, "of"),
    Section("memory in place", Cache, "inputs"),
    Section("ONNX step: rows picked, features, signature and encoder", OrtStep, "run"),
    Section("scatter: memory put back", Cache, "scatter"),
    Section("pooling: frames into calls and windows", HeardRows, "add"),
    Section("statistics: of calls and windows", HeardRows, "statistics"),
    Section("heads and fusion", OrtAnswers, "answer"),
    Section("answers: one by one", Answers, "each"),
    Section("between them, in the encoder's runner", OrtStepRunner, "run"),
    Section("between them, in the runner", CpuRunner, "run"),
)
RESULTS = Path(__file__).parent / "results" / "profile.md"
BATCH = 8
OPERATORS_SHOWN = 14
RUNS = 200


@dataclass(frozen=True, slots=True)
class Profile:
    """A run of paced legs with a stopwatch on every part."""

    paced: Paced
    pacing_s: float  # CPU of the loop for each step, of the pacing alone
    watch: Stopwatch

    def lines(self) -> list[str]:
        """A row for each part: CPU for one second of a call, its share, for one step."""
        threads_s, run = self.paced.workers_s, self.paced
        loop_s = max(0.0, run.loop_s - self.pacing_s * run.rows)
        named = {section.name: self.watch.last_lap.get(section.name, 0.0) for section in SECTIONS}
        parts = {
            **named,
            "threads and futures, around the runner": max(0.0, threads_s - sum(named.values())),
            "event loop: batcher, less the pacing": loop_s,
        }
        whole = sum(parts.values())
        lines = [
            "| part | ms per call-second | share | µs per step |",
            "| --- | ---: | ---: | ---: |",
        ]
        for name, seconds in parts.items():
            lines.append(self._line(name, seconds, whole))
        return [*lines, self._line("**all**", whole, whole)]

    def _line(self, name: str, seconds: float, whole: float) -> str:
        ms = 1000 * seconds / self.paced.call_s
        return f"| {name} | {ms:.3f} | {100 * seconds / whole:.1f} % | {ms * STEP_MS:.0f} |"


async def profile_engine(bundle: Bundle, legs: int, seconds: float) -> Profile:
    """So many legs, each with a step every 240 ms."""
    voices = [cut_voice(caller.pcm) for caller in synthetic_callers()]
    pacing_s = await pacing_alone(voices, legs, 2.0)
    with timing(SECTIONS) as watch:
        runner = CountingRunner(CpuRunner(bundle, slots=legs))
        async with Encoder(runner, slots=legs) as encoder:
            paced = await pace_engine(encoder, runner, voices, legs, seconds, on_look=watch.lap)
    return Profile(paced, pacing_s, watch)


def operator_lines(operators: Sequence[Operator]) -> list[str]:
    """A row for each of the dearest, and one for the rest."""
    whole = sum(one.ms for one in operators)
    shown, rest = operators[:OPERATORS_SHOWN], operators[OPERATORS_SHOWN:]
    if rest:
        left = Operator("the rest", sum(one.nodes for one in rest), sum(one.ms for one in rest))
        shown = [*shown, left]
    return [
        "| operator | nodes | ms per run | share |",
        "| --- | ---: | ---: | ---: |",
        *(f"| {o.name} | {o.nodes} | {o.ms:.3f} | {100 * o.ms / whole:.1f} % |" for o in shown),
        f"| **all** | {sum(one.nodes for one in operators)} | {whole:.3f} | 100 % |",
    ]


def write(profile: Profile, operators: Sequence[Operator], bundle: Bundle) -> str:
    """The page."""
    run = profile.paced
    return "\n".join(
        [
            "# Where a live step's time goes",
            "",
            f"{machine()}, commit {commit()}, model {bundle.ref.id}, load average {load_average()}."
            " Made by `python -m benchmarks.profile`.",
            "",
            f"{run.legs} legs, each with a step every {STEP_MS} ms, for {run.wall_s:.0f} s:"
            f" {run.rows} steps in batches of {run.rows_per_batch:.1f} on average, half of them"
            f" answered within {run.latency_at(50):.0f} ms, 99 of 100 within"
            f" {run.latency_at(99):.0f} ms. CPU time of the threads that did it; each part without"
            " the parts inside it. The stopwatches themselves cost a few microseconds a batch.",
            "",
            *profile.lines(),
            "",
            f"## The ONNX step alone, {BATCH} rows",
            "",
            f"ONNX Runtime's own clock, one thread, medians of {RUNS} runs; summed by kind.",
            "",
            *operator_lines(operators),
            "",
        ]
    )


def main() -> None:
    """Run argv."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile")
    parser.add_argument("--legs", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--model", type=Path, help="a bundle (default: the packaged one)")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    need_linux()
    bundle = load_bundle(given.model)
    profile = run_loop(profile_engine(bundle, given.legs, given.seconds))
    page = write(profile, operator_times(bundle.step_path, BATCH, RUNS), bundle)
    given.out.write_text(page)
    print(page)


if __name__ == "__main__":
    main()
