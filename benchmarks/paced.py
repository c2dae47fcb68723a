"""Many live legs through the real encoder, in this process: each has a step every 240 ms."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from benchmarks.process_cpu import CpuUsed
from streamtrace.audio.steps import Stepper
from streamtrace.encoder.batcher import Encoder
from streamtrace.encoder.cache import Rows
from streamtrace.encoder.runner import StepBatch, StepRunner
from streamtrace.fusion.tracer import Answers
from streamtrace.values import HOP_STEPS, STEP_MS, STEP_SAMPLES, AudioChunk, Float32s, Step

STEP_S = STEP_MS / 1000
SETTLE_S = 1.0  # from the first step to what is measured
LATE_S = 1.0  # how long behind the end steps that are late are still run
CUT_STEPS = 128  # steps that a voice is cut into, said again and again


@dataclass(frozen=True, slots=True)
class Paced:
    """What a run of paced legs cost, and how long their steps took."""

    legs: int
    rows: int  # steps that ran
    batches: int
    wall_s: float
    workers_s: float  # CPU of the encoder's threads
    loop_s: float  # CPU of the event loop's thread, which paces the legs as well
    latency_ms: Sequence[float]  # of each step, from when it was due to its answer

    @property
    def call_s(self) -> float:
        """Seconds of calls that the steps stand for, whether or not they kept up."""
        return self.rows * STEP_S

    @property
    def rows_per_batch(self) -> float:
        """The mean."""
        return self.rows / max(1, self.batches)

    def latency_at(self, percentile: float) -> float:
        """In ms."""
        return float(np.percentile(self.latency_ms, percentile))


class Place(Protocol):
    """What a leg's steps are handed to."""

    async def encode(self, step: Step) -> object:
        """Take in the leg's next step."""
        ...


class Nowhere:
    """Takes steps in and does nothing: what is left is the pacing."""

    async def encode(self, step: Step) -> object:
        """Done."""


@dataclass(slots=True)
class CountingRunner:
    """A step runner that remembers how large its batches were."""

    runner: StepRunner
    batches: list[int] = field(default_factory=list[int])

    @property
    def state_bytes_per_row(self) -> int:
        """What one leg's memory costs."""
        return self.runner.state_bytes_per_row

    def reset(self, rows: Sequence[int] | Rows) -> None:
        """Make the rows like new."""
        self.runner.reset(rows)

    def run(self, batch: StepBatch) -> Answers | None:
        """Step the rows once."""
        self.batches.append(len(batch.rows))  # one append is whole, whichever thread it is on
        return self.runner.run(batch)

    def answer(self, rows: Rows) -> Answers:
        """What the rows' legs say by now."""
        return self.runner.answer(rows)

    def close(self) -> None:
        """Wait for what still runs."""
        self.runner.close()


async def pace_engine(
    encoder: Encoder,
    runner: CountingRunner,
    voices: Sequence[Sequence[Step]],
    legs: int,
    seconds: float,
    *,
    on_look: Callable[[], None] = lambda: None,
) -> Paced:
    """So many new legs, phases evenly spread, measured for so long once they have settled.

    `on_look` is told when that begins, and when it ends.
    """
    slots = [encoder.acquire() for _ in range(legs)]
    try:
        return await _pace(slots, voices, seconds, runner.batches, on_look)
    finally:
        for slot in slots:
            slot.release()


async def pacing_alone(voices: Sequence[Sequence[Step]], legs: int, seconds: float) -> float:
    """CPU seconds of the loop for each step, of the pacing itself."""
    made = await _pace([Nowhere()] * legs, voices, seconds, [])
    return made.loop_s / len(made.latency_ms)


def cut_voice(pcm: Float32s, steps: int = CUT_STEPS) -> list[Step]:
    """As the product cuts a leg's audio; said again until there is enough of it."""
    return Stepper().feed(AudioChunk(0, np.resize(pcm, steps * STEP_SAMPLES))).steps


async def _pace(
    places: Sequence[Place],
    voices: Sequence[Sequence[Step]],
    seconds: float,
    batches: list[int],
    on_look: Callable[[], None] = lambda: None,
) -> Paced:
    loop = asyncio.get_running_loop()
    begin_s = loop.time() + 0.1
    from_s, until_s = begin_s + SETTLE_S, begin_s + SETTLE_S + seconds
    latency_ms: list[float] = []
    looks: list[tuple[CpuUsed, int, int]] = []

    async def look(at_s: float) -> None:
        await asyncio.sleep(at_s - loop.time())
        on_look()
        looks.append((CpuUsed.of(os.getpid()), len(batches), sum(batches)))

    async def live(number: int, place: Place) -> None:
        voice, index = voices[number % len(voices)], 0
        due_s = begin_s + STEP_S * number / len(places)
        while due_s < until_s and loop.time() < until_s + LATE_S:
            await asyncio.sleep(due_s - loop.time())
            await place.encode(_step(voice, index))
            if due_s >= from_s:
                latency_ms.append(1000 * (loop.time() - due_s))
            index += 1
            due_s += STEP_S

    async with asyncio.TaskGroup() as group:
        group.create_task(look(from_s))
        group.create_task(look(until_s))
        for number, place in enumerate(places):
            group.create_task(live(number, place))
    (before, batches_before, rows_before), (after, batches_after, rows_after) = looks
    used = after.since(before)
    return Paced(
        legs=len(places),
        rows=rows_after - rows_before,
        batches=batches_after - batches_before,
        wall_s=used.at_s,
        workers_s=used.others_s,
        loop_s=used.loop_s,
        latency_ms=latency_ms,
    )


def _step(voice: Sequence[Step], index: int) -> Step:
    """The leg's own step: a voice that is said again goes on in its grid."""
    said = voice[index % len(voice)]
    ends_hop = (index + 1) % HOP_STEPS == 0
    return Step(index, said.pcm, said.usable, fresh=index == 0, wanted=ends_hop)
