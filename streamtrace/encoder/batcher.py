"""The ready steps of all calls, in batches, on a few worker threads; everyone who waits is told."""

from __future__ import annotations

import asyncio
import heapq
import math
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self, TypeAlias

import numpy as np

from streamtrace.encoder.backend import GPU_RULE, ON_CPU, Backend, open_runner
from streamtrace.encoder.bundle import Bundle
from streamtrace.encoder.job import Encoded, Job
from streamtrace.encoder.runner import StepBatch, StepRunner
from streamtrace.encoder.schedule import BatchRule, Schedule
from streamtrace.encoder.slots import Lease, Slots
from streamtrace.encoder.threads import usable_cores, worker_thread
from streamtrace.errors import EncoderFailed
from streamtrace.values import Answer, Step, Traced

# What a batch reads, weights above all, no core's own cache holds: sixteen rows share it, and cost
# an eighth less each than eight. Beyond that nothing is gained, and the first of a batch waits for
# the last. Some milliseconds of waiting for company are worth it.
CPU_RULE = BatchRule(most=16, budget_s=0.020, spread_s=0.04)
_Answered: TypeAlias = Future[list[Answer | None]]

MOST_WAITS = 4096  # remembered for whoever judges the load


class Slot:
    """One leg's place in the encoder, until released; its steps run one behind another."""

    def __init__(self, encoder: Encoder, lease: Lease) -> None:
        self._encoder = encoder
        self._lease = lease
        self._turn = asyncio.Lock()

    async def encode(self, step: Step) -> Encoded:
        """Take in the leg's next step; raises `EncoderFailed` if its batch or the encoder fails."""
        async with self._turn:
            return await self._encoder.submit(self._lease, step)

    async def answer(self) -> Answer:
        """What is known of the leg by now; raises as `encode` does."""
        async with self._turn:
            encoded = await self._encoder.submit(self._lease, None)
        assert encoded.traced.answer is not None
        return encoded.traced.answer

    def release(self) -> None:
        """Give the place back; a step that still runs is dropped. Twice is harmless."""
        self._encoder.release(self._lease)


class Encoder:
    """Slots for legs, and worker threads that step them; an async context manager owns both.

    Every waiter is answered: with what its step led to, or with `EncoderFailed` if its batch
    fails, its slot is released or the encoder stops. A slot has one step in the queue at most, so
    the queue is bounded by the slots.
    """

    def __init__(
        self,
        runner: StepRunner,
        *,
        slots: int,
        workers: int | None = None,
        rule: BatchRule = CPU_RULE,
        thread: Callable[[], ThreadPoolExecutor] = worker_thread,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.workers = workers or usable_cores()
        self.runner = runner
        self.busy_s = 0.0  # that batches have run so far, all workers together
        self.rows_stepped = 0
        self.failed_in_a_row = 0  # batches, since one last ran
        self._waits_ms = deque[float](maxlen=MOST_WAITS)
        self._now = now
        self._thread = thread
        self._slots = Slots(slots)
        self._schedule = Schedule(rule)
        self._waiting: dict[int, Job] = {}  # by row
        self._timer: asyncio.TimerHandle | None = None
        self._next_look_s = math.inf  # when it goes off
        self._still = asyncio.Event()  # nothing waits and nothing runs
        self._is_pump_due = False
        self._is_open = False
        self._closing = False

    @classmethod
    def of(
        cls,
        bundle: Bundle,
        *,
        slots: int,
        workers: int | None = None,
        backend: Backend = ON_CPU,
        now: Callable[[], float] = time.monotonic,
    ) -> Self:
        """An encoder of this bundle; a GPU is owned by one thread, whatever `workers` says."""
        runner = open_runner(bundle, backend, slots=slots)
        if backend.device == "cuda":
            return cls(runner, slots=slots, workers=1, rule=GPU_RULE, now=now)
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

    def take_waits_ms(self) -> list[float]:
        """From asked to answered, of the newest steps since this was last called."""
        taken = list(self._waits_ms)
        self._waits_ms.clear()
        return taken

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._workers = [self._thread() for _ in range(self.workers)]
        self._idle = list(range(self.workers))
        # Every thread now, not under load: a system that has none left says so before any call.
        await asyncio.gather(*(self._loop.run_in_executor(worker, int) for worker in self._workers))
        self._is_open = True
        return self

    async def __aexit__(self, *_: object) -> None:
        """Run what is queued, then stop; a failing body does not cancel steps that calls await."""
        self._closing = True
        try:
            while self._waiting or self._schedule.batches:
                self._still.clear()
                self._pump()
                await self._still.wait()
        finally:
            self._is_open = False
            if self._timer is not None:
                self._timer.cancel()
            for row in tuple(self._waiting):
                if job := self._withdraw(row):
                    job.fail("the encoder stopped before this step's turn")
            for worker in self._workers:
                worker.shutdown()
            self.runner.close()

    def acquire(self) -> Slot:
        """Lend a slot whose memory is empty; raises `EngineFull` where there is none."""
        lease = self._slots.acquire()
        self.runner.reset([lease.row])
        return Slot(self, lease)

    def release(self, lease: Lease) -> None:
        """Take a slot back and forget what its tenant said, once nothing reads it any more."""
        if not self._slots.is_current(lease):
            return
        if self._slots.release(lease):
            self.runner.reset([lease.row])
        if job := self._withdraw(lease.row):
            job.fail("its slot was released")

    async def submit(self, lease: Lease, step: Step | None) -> Encoded:
        """Queue a step and wait for what it leads to; `Slot` is the way in."""
        if not self._is_open:
            raise EncoderFailed("the encoder has stopped")
        if not self._slots.is_current(lease):
            raise EncoderFailed("its slot was released")
        job = Job(lease, step, self._now())
        self._waiting[lease.row] = job
        is_worth_a_look = self._add(lease.row)
        if is_worth_a_look and not self._is_pump_due:
            self._is_pump_due = True  # whoever comes in the same turn of the loop comes along
            self._loop.call_soon(self._pump)
        try:
            return await job.answer
        finally:
            if self._waiting.get(lease.row) is job:  # the waiter was cancelled before its turn
                self._withdraw(lease.row)

    def _add(self, row: int) -> bool:
        """To those who wait -> whether that can change when the next batch fires: mostly not."""
        now_s = self._loop.time()
        own_look_s = self._schedule.add(row, now_s)
        if self._schedule.batches >= self.workers:
            return False  # the end of a batch is followed by a look
        if own_look_s < self._next_look_s:
            return True
        return self._schedule.fires_early(now_s, others=self._others)

    @property
    def _others(self) -> int:
        """Legs whose next step could still come along: it neither waits nor runs."""
        return self._slots.in_use - len(self._waiting) - self._schedule.rows_running

    def _withdraw(self, row: int) -> Job | None:
        self._schedule.remove(row)
        return self._waiting.pop(row, None)

    def _pump(self) -> None:
        """Start every batch that fires now, and set the clock for the next look."""
        self._is_pump_due = False
        while self._schedule.batches < self.workers:
            rows = self._schedule.take(
                self._loop.time(), others=self._others, at_once=self._closing
            )
            if not rows:
                break
            self._start([self._waiting.pop(row) for row in rows])
        if self._timer is not None:
            self._timer.cancel()
            self._timer, self._next_look_s = None, math.inf
        if self._schedule.batches < self.workers:
            look_s = self._schedule.next_look_s()
            if look_s is not None:
                self._timer, self._next_look_s = self._loop.call_at(look_s, self._pump), look_s

    def _start(self, batch: list[Job]) -> None:
        for job in batch:
            self._slots.pin(job.lease)
        started_at_s = self._now()
        # The first that is idle, so that mostly the same core runs batches, its caches warm.
        number = heapq.heappop(self._idle)
        try:
            running = self._workers[number].submit(self._step, batch)
        except RuntimeError as cause:  # the pool is broken: its waiters are answered all the same
            running = _Answered()
            running.set_exception(cause)
        running.add_done_callback(
            lambda done: self._loop.call_soon_threadsafe(
                self._ran, batch, number, started_at_s, done
            )
        )

    def _step(self, batch: list[Job]) -> list[Answer | None]:
        """On a worker thread: nothing here touches the event loop."""
        steps = [(job.lease.row, job.step) for job in batch if job.step is not None]
        asked = [job.lease.row for job in batch if job.step is None]
        answers: dict[int, Answer] = {}
        if steps:
            rows = [row for row, _ in steps]
            made = self.runner.run(StepBatch.of(rows, [step for _, step in steps]))
            wanted = [row for row, step in steps if step.wanted]
            answers |= dict(zip(wanted, made.each() if made else [], strict=True))
        if asked:
            known = self.runner.answer(np.array(asked, np.int64))
            answers |= dict(zip(asked, known.each(), strict=True))
        return [answers.get(job.lease.row) for job in batch]

    def _ran(self, batch: list[Job], number: int, started_at_s: float, done: _Answered) -> None:
        """Back on the loop: tell everyone, free the rows, go on."""
        heapq.heappush(self._idle, number)
        took_s = self._now() - started_at_s
        self.busy_s += took_s
        self.rows_stepped += len(batch)
        if (cause := done.exception()) is not None:
            self.failed_in_a_row += 1
            for job in batch:
                job.fail(f"batch of {len(batch)}: {cause!r}")
        else:
            self.failed_in_a_row = 0
            for job, answer in zip(batch, done.result(), strict=True):
                index = -1 if job.step is None else job.step.index
                waited_ms = 1000 * (started_at_s - job.asked_at_s)
                job.resolve(Encoded(Traced(index, answer), waited_ms, 1000 * took_s))
                self._waits_ms.append(waited_ms + 1000 * took_s)
        self._schedule.done(job.lease.row for job in batch)
        freed = [job.lease.row for job in batch if self._slots.unpin(job.lease.row)]
        if freed:
            self.runner.reset(freed)
        self._pump()
        if not self._waiting and not self._schedule.batches:
            self._still.set()
