"""A step runner that sums what each row hears, and a gate that holds its batches."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import numpy as np

from streamtrace.encoder.batcher import Encoder, Slot
from streamtrace.encoder.cache import Rows
from streamtrace.encoder.runner import StepBatch
from streamtrace.encoder.schedule import BatchRule
from streamtrace.fusion.fuse import Fused
from streamtrace.fusion.tracer import Answers
from streamtrace.values import (
    CONTEXT_SAMPLES,
    STEP_FRAMES,
    STEP_SAMPLES,
    Float32s,
    Step,
)

WAIT_S = 10.0  # of a thread for the test, never reached
AT_ONCE = BatchRule(most=8)
ALONE = BatchRule(most=1)


def step(value: float = 0.0, *, index: int = 0, fresh: bool = False, wanted: bool = True) -> Step:
    """A step whose audio is one number."""
    pcm = np.full(CONTEXT_SAMPLES + STEP_SAMPLES, value, np.float32)
    return Step(index, pcm, np.ones(STEP_FRAMES, np.bool_), fresh, wanted)


@dataclass
class SumRunner:
    """Remembers the sum of what each row heard, and answers with it."""

    slots: int
    sums: Float32s = field(init=False)
    batches: list[list[int]] = field(default_factory=list[list[int]])
    resets: list[list[int]] = field(default_factory=list[list[int]])
    on_run: Callable[[Rows], None] = lambda rows: None
    closed_behind: list[int] = field(default_factory=list[int])  # so many batches

    def __post_init__(self) -> None:
        self.sums = np.zeros(self.slots, np.float32)

    def reset(self, rows: Sequence[int] | Rows) -> None:
        """Forget the sums."""
        self.resets.append([int(row) for row in rows])
        self.sums[rows] = 0

    @property
    def state_bytes_per_row(self) -> int:
        """One float."""
        return 4

    def run(self, batch: StepBatch) -> Answers | None:
        """Add each row's number; what is fresh begins anew."""
        self.batches.append(batch.rows.tolist())
        self.on_run(batch.rows)
        self.sums[batch.rows[batch.fresh]] = 0
        self.sums[batch.rows] += batch.pcm[:, 0]
        return self.answer(batch.rows[batch.wanted]) if batch.wanted.any() else None

    def answer(self, rows: Rows) -> Answers:
        """The sums, where an answer has its probability."""
        said = np.repeat(self.sums[rows][:, None], 2, axis=1)
        shares = np.ones((len(rows), 2, 1), np.float32)
        return Answers(Fused(said, said, shares, shares, said), np.zeros((len(rows), 2), np.int64))

    def close(self) -> None:
        """Remember when."""
        self.closed_behind.append(len(self.batches))


class Gate:
    """Holds the runner's threads until it is opened; tells how many have come."""

    def __init__(self) -> None:
        self._opened = threading.Event()
        self._came = threading.Semaphore(0)

    def __call__(self, rows: Rows) -> None:
        self._came.release()
        assert self._opened.wait(WAIT_S)

    async def reached(self) -> None:
        """A batch has come to the gate."""
        assert await asyncio.to_thread(self._came.acquire, timeout=WAIT_S)

    def open(self) -> None:
        """Let all through, from now on."""
        self._opened.set()


async def settle() -> None:
    """Let every task that can go on go on."""
    for _ in range(10):
        await asyncio.sleep(0)


async def hear(slot: Slot, value: float, *, fresh: bool = False) -> float:
    """Encode one number, give the sum."""
    answer = (await slot.encode(step(value, fresh=fresh))).traced.answer
    assert answer is not None
    return answer.call.spoof_probability


@asynccontextmanager
async def gated(runner: SumRunner, *, workers: int = 1) -> AsyncIterator[tuple[Encoder, Gate]]:
    """An encoder whose batches stand still until the gate is opened; it opens at the end."""
    gate = Gate()
    runner.on_run = gate
    async with Encoder(runner, slots=runner.slots, workers=workers, rule=AT_ONCE) as encoder:
        try:
            yield encoder, gate
        finally:
            gate.open()
