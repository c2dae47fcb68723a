"""Who steps together: the ready steps of all calls, in batches, on a few worker threads."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol, Self

import numpy as np

from streamtrace.encoder.bundle import Bundle
from streamtrace.encoder.cache import Rows
from streamtrace.encoder.cpu import OrtStepRunner, StepFrames
from streamtrace.encoder.slots import Lease, Slots
from streamtrace.errors import EncoderFailed
from streamtrace.values import Bools, Float32s, Frames, Step

MAX_BATCH = 8  # beyond it a CPU gains nothing, and the first of a batch waits for the last
NICENESS = 5  # a step thread yields to the event loop, which has a packet every 20 ms per call


class StepRunner(Protocol):
    """What runs batches; see `OrtStepRunner` for the laws."""

    def reset(self, rows: Sequence[int] | Rows) -> None:
        """Make the rows like new."""
        ...

    def run(self, rows: Rows, pcm: Float32s, is_lent: Callable[[], Bools]) -> StepFrames:
        """Step the rows once, from a worker thread; several batches run at once."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """A step's frames, and how long the step waited and ran."""

    frames: Frames
    queue_ms: float
    encode_ms: float


@dataclass(slots=True, eq=False)
class Job:
    """One step and whoever waits for it."""

    lease: Lease
    step: Step
    asked_at_s: float
    answer: asyncio.Future[Encoded] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def resolve(self, encoded: Encoded) -> None:
        """Answer, unless the waiter has gone."""
        if not self.answer.done():
            self.answer.set_result(encoded)

    def fail(self, reason: str) -> None:
        """Answer with `EncoderFailed`, unless the waiter has gone."""
        if not self.answer.done():
            self.answer.set_exception(EncoderFailed(reason))


def take_queued(rows: Sequence[int], is_running: Callable[[int], bool], most: int) -> list[int]:
    """THE BATCH POLICY: places in the queue (its rows, oldest first) that step now, `most` at most.

    It never waits for company: under load batches grow by themselves while the workers are busy.
    A row is taken once, and not while it runs, since a step needs what the one before it left.
    """
    taken: dict[int, int] = {}
    for place, row in enumerate(rows):
        if len(taken) == most:
            break
        if row not in taken and not is_running(row):
            taken[row] = place
    return list(taken.values())


class Slot:
    """One leg's place in the encoder, until released; its steps run one behind another."""

    def __init__(self, encoder: Encoder, lease: Lease) -> None:
        self._encoder = encoder
        self._lease = lease
        self._turn = asyncio.Lock()

    async def encode(self, step: Step) -> Encoded:
        """Encode the leg's next step; raises `EncoderFailed` if its batch or the encoder fails."""
        async with self._turn:
            return await self._encoder.submit(self._lease, step)

    def release(self) -> None:
        """Give the place back; a step that still runs is dropped. Twice is harmless."""
        self._encoder.release(self._lease)


class Encoder:
    """Slots for legs, and worker tasks that step them; an async context manager owns the tasks.

    Every waiter is answered: with frames, or with `EncoderFailed` if its batch fails, its slot is
    released or the encoder stops. A slot has one step in the queue at most, so the queue is
    bounded by the slots.
    """

    def __init__(
        self,
        runner: StepRunner,
        *,
        slots: int,
        workers: int | None = None,
        max_batch: int = MAX_BATCH,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.workers = workers or usable_cores()
        self.max_batch = max_batch
        self._runner = runner
        self._now = now
        self._lock = threading.Lock()  # guards _slots: worker threads ask who is still lent
        self._slots = Slots(slots)
        self._waiting: list[Job] = []
        self._changed = asyncio.Event()
        self._tasks = asyncio.TaskGroup()
        self._working = 0
        self._closing = False

    @classmethod
    def of(
        cls,
        bundle: Bundle,
        *,
        slots: int,
        workers: int | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> Self:
        """An encoder of this bundle on the CPU."""
        runner = OrtStepRunner(bundle.step_path, slots=slots)
        return cls(runner, slots=slots, workers=workers, now=now)

    @property
    def slots(self) -> int:
        """How many legs fit."""
        return self._slots.count

    @property
    def slots_in_use(self) -> int:
        """How many legs are there now."""
        return self._slots.in_use

    @property
    def steps_waiting(self) -> int:
        """How many steps are queued, those that run now not counted."""
        return len(self._waiting)

    async def __aenter__(self) -> Self:
        self._pool = ThreadPoolExecutor(self.workers, "encoder", _yield_to_the_loop)
        await self._tasks.__aenter__()
        for number in range(self.workers):
            self._working += 1
            self._tasks.create_task(self._work(), name=f"encoder-{number}")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Run what is queued, then stop; a failing body does not cancel steps that calls await."""
        self._closing = True
        self._changed.set()
        try:
            await self._tasks.__aexit__(None, None, None)
        finally:
            self._pool.shutdown()

    def acquire(self) -> Slot:
        """Lend a slot whose memory is empty; raises `EngineFull` where there is none."""
        with self._lock:
            lease = self._slots.acquire()
        self._runner.reset([lease.row])
        return Slot(self, lease)

    def release(self, lease: Lease) -> None:
        """Take a slot back and forget what its tenant said, once nothing reads it any more."""
        with self._lock:
            is_free = self._slots.release(lease)
        if is_free:
            self._runner.reset([lease.row])
        self._changed.set()  # a step that waits in vain is answered by the next worker

    async def submit(self, lease: Lease, step: Step) -> Encoded:
        """Queue a step and wait for its frames; `Slot.encode` is the way in."""
        if not self._working:
            raise EncoderFailed("the encoder has stopped")
        job = Job(lease, step, self._now())
        self._waiting.append(job)
        self._changed.set()
        try:
            return await job.answer
        finally:
            if job in self._waiting:  # the waiter was cancelled before a worker took the step
                self._waiting.remove(job)

    async def _work(self) -> None:
        """One worker: take a batch, step it, answer; sleep when nothing can step."""
        try:
            while True:
                if batch := self._take():
                    await self._run(batch)
                elif self._closing:
                    return
                else:
                    self._changed.clear()
                    await self._changed.wait()
        finally:
            self._working -= 1
            if not self._working:
                for job in self._waiting:
                    job.fail("the encoder stopped before this step's turn")

    def _take(self) -> list[Job]:
        """Remove the next batch from the queue and pin its rows."""
        with self._lock:
            rows = [job.lease.row for job in self._waiting]
            places = take_queued(rows, self._slots.is_pinned, self.max_batch)
            chosen = [self._waiting[place] for place in places]
            batch = [job for job in chosen if self._slots.pin(job.lease)]
        for place in sorted(places, reverse=True):
            del self._waiting[place]
        for job in chosen:
            if job not in batch:
                job.fail("its slot was released")
        return batch if batch or not chosen else self._take()

    async def _run(self, batch: list[Job]) -> None:
        started_at_s = self._now()
        loop = asyncio.get_running_loop()
        try:
            frames = await loop.run_in_executor(self._pool, self._step, batch)
        except Exception as cause:
            for job in batch:
                job.fail(f"batch of {len(batch)}: {cause!r}")
        except BaseException:
            for job in batch:
                job.fail("the encoder stopped during this step")
            raise
        else:
            encode_ms = 1000 * (self._now() - started_at_s)
            for row, job in enumerate(batch):
                one = Frames(
                    job.step.index,
                    frames.embedding[row],
                    frames.attention[row],
                    frames.activity[row],
                )
                job.resolve(Encoded(one, 1000 * (started_at_s - job.asked_at_s), encode_ms))
        finally:
            self._unpin(batch)

    def _step(self, batch: list[Job]) -> StepFrames:
        """On a worker thread: nothing here touches the event loop."""
        rows = np.array([job.lease.row for job in batch])
        fresh = np.array([job.step.fresh for job in batch])
        if fresh.any():
            self._runner.reset(rows[fresh])
        pcm = np.stack([job.step.pcm for job in batch])
        return self._runner.run(rows, pcm, lambda: self._are_lent(batch))

    def _are_lent(self, batch: list[Job]) -> Bools:
        with self._lock:
            return np.array([self._slots.is_current(job.lease) for job in batch])

    def _unpin(self, batch: list[Job]) -> None:
        with self._lock:
            freed = [job.lease.row for job in batch if self._slots.unpin(job.lease.row)]
        if freed:
            self._runner.reset(freed)
        self._changed.set()  # a row that ran may have its next step waiting


def usable_cores() -> int:
    """The cores that this process may use, which a container can narrow."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _yield_to_the_loop() -> None:
    """Lower this thread's priority where the system has one per thread."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + NICENESS)
