"""Every waiter is answered, whatever happens to its batch, its slot or the encoder."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from streamtrace.encoder.batcher import Encoder
from streamtrace.encoder.cache import Rows
from streamtrace.errors import EncoderFailed, EngineFull
from tests.encoder.sum_runner import (
    ALONE,
    AT_ONCE,
    SumRunner,
    gated,
    hear,
    settle,
    step,
)


async def test_each_leg_hears_itself() -> None:
    runner = SumRunner(3)
    async with Encoder(runner, slots=3, workers=2) as encoder:
        legs = [encoder.acquire() for _ in range(3)]
        for values in ([1.0, 10.0, 100.0], [2.0, 20.0, 200.0]):
            sums = await asyncio.gather(
                *(hear(leg, v) for leg, v in zip(legs, values, strict=True))
            )
        assert sums == [3.0, 30.0, 300.0]


async def test_steps_that_wait_together_run_together() -> None:
    runner = SumRunner(12)
    async with gated(runner) as (encoder, gate):
        legs = [encoder.acquire() for _ in range(12)]
        first = asyncio.create_task(hear(legs[0], 1.0))
        await gate.reached()
        others = [asyncio.create_task(hear(leg, 1.0)) for leg in legs[1:]]
        await settle()
        assert encoder.steps_waiting == 11
        gate.open()
        await asyncio.gather(first, *others)
    assert [len(batch) for batch in runner.batches] == [1, 8, 3]


async def test_a_fresh_step_starts_from_nothing() -> None:
    async with Encoder(SumRunner(1), slots=1, workers=1) as encoder:
        leg = encoder.acquire()
        assert await hear(leg, 1.0) == 1.0
        assert await hear(leg, 1.0, fresh=True) == 1.0
        assert await hear(leg, 1.0) == 2.0


async def test_a_slots_next_tenant_starts_from_nothing() -> None:
    async with Encoder(SumRunner(1), slots=1, workers=1) as encoder:
        leg = encoder.acquire()
        await hear(leg, 5.0)
        with pytest.raises(EngineFull):
            encoder.acquire()
        leg.release()
        leg.release()
        assert encoder.slots_in_use == 0
        assert await hear(encoder.acquire(), 1.0) == 1.0


async def test_a_failing_batch_fails_its_own_calls_only() -> None:
    runner = SumRunner(2)

    def fail_row_0(rows: Rows) -> None:
        if 0 in rows:
            raise FloatingPointError("row 0 is cursed")

    runner.on_run = fail_row_0
    async with Encoder(runner, slots=2, workers=2, rule=ALONE) as encoder:
        cursed, sound = encoder.acquire(), encoder.acquire()
        for heard in (1.0, 2.0):
            failed, fine = await asyncio.gather(
                hear(cursed, 1.0), hear(sound, 1.0), return_exceptions=True
            )
            assert isinstance(failed, EncoderFailed)
            assert "batch of 1: FloatingPointError('row 0 is cursed')" in str(failed)
            assert fine == heard


async def test_the_runner_is_closed_behind_the_last_batch() -> None:
    runner = SumRunner(2)
    async with gated(runner) as (encoder, gate):
        legs = [encoder.acquire() for _ in range(2)]
        first = asyncio.create_task(hear(legs[0], 1.0))
        await gate.reached()
        second = asyncio.create_task(hear(legs[1], 1.0))
        await settle()
        assert runner.closed_behind == []
    assert runner.closed_behind == [2]
    assert (await first, await second) == (1.0, 1.0)


async def test_failures_are_counted_until_a_batch_runs() -> None:
    runner = SumRunner(1)

    def fail(rows: Rows) -> None:
        raise RuntimeError("the device is lost")

    async with Encoder(runner, slots=1, workers=1, rule=ALONE) as encoder:
        leg = encoder.acquire()
        runner.on_run = fail
        for count in (1, 2, 3):
            with pytest.raises(EncoderFailed, match="the device is lost"):
                await hear(leg, 1.0)
            assert encoder.failed_in_a_row == count
        runner.on_run = lambda rows: None
        await hear(leg, 1.0)
        assert encoder.failed_in_a_row == 0


async def test_a_step_is_not_run_for_a_waiter_that_has_gone() -> None:
    runner = SumRunner(2)
    async with gated(runner) as (encoder, gate):
        running, queued = encoder.acquire(), encoder.acquire()
        first = asyncio.create_task(hear(running, 1.0))
        await gate.reached()
        second = asyncio.create_task(hear(queued, 1.0))
        await settle()
        second.cancel()
        await settle()
        assert encoder.steps_waiting == 0
        gate.open()
        await first
    assert runner.batches == [[0]]


async def test_a_late_result_never_reaches_the_next_tenant() -> None:
    runner = SumRunner(2)
    async with gated(runner) as (encoder, gate):
        leg, other = encoder.acquire(), encoder.acquire()
        waiter = asyncio.create_task(hear(leg, 7.0))
        await gate.reached()
        waiter.cancel()
        await settle()
        leg.release()
        with pytest.raises(EngineFull):  # its batch still reads the row
            encoder.acquire()
        gate.open()
        await hear(other, 1.0)  # behind the first batch, on the only worker
        assert await hear(encoder.acquire(), 1.0) == 1.0
    assert runner.resets[-2:] == [[0], [0]]  # on release and on acquisition


async def test_a_step_behind_a_cancelled_one_waits_for_the_row() -> None:
    runner = SumRunner(1)
    async with gated(runner, workers=2) as (encoder, gate):
        leg = encoder.acquire()
        waiter = asyncio.create_task(hear(leg, 1.0))
        await gate.reached()
        waiter.cancel()
        next_step = asyncio.create_task(hear(leg, 1.0))
        await settle()
        assert runner.batches == [[0]]
        gate.open()
        assert await next_step == 2.0


async def test_a_step_whose_slot_is_released_meanwhile_is_answered() -> None:
    runner = SumRunner(2)
    async with gated(runner) as (encoder, gate):
        running, released = encoder.acquire(), encoder.acquire()
        first = asyncio.create_task(hear(running, 1.0))
        await gate.reached()
        second = asyncio.create_task(hear(released, 1.0))
        await settle()
        released.release()
        gate.open()
        with pytest.raises(EncoderFailed, match="slot was released"):
            await second
        assert await first == 1.0


async def test_closing_runs_what_is_queued() -> None:
    runner = SumRunner(2)
    async with gated(runner) as (encoder, gate):
        legs = [encoder.acquire(), encoder.acquire()]
        first = asyncio.create_task(hear(legs[0], 1.0))
        await gate.reached()
        second = asyncio.create_task(hear(legs[1], 2.0))
        await settle()
    assert (await first, await second) == (1.0, 2.0)
    with pytest.raises(EncoderFailed, match="has stopped"):
        await hear(legs[0], 1.0)


async def test_times_are_told_in_milliseconds() -> None:
    seconds = [1.0]

    def run_for_a_quarter(rows: Rows) -> None:
        seconds[0] += 0.25

    runner = SumRunner(1, on_run=run_for_a_quarter)
    async with Encoder(runner, slots=1, workers=1, rule=AT_ONCE, now=lambda: seconds[0]) as encoder:
        encoding = asyncio.create_task(encoder.acquire().encode(step(index=4)))
        await asyncio.sleep(0)  # the step is asked for now
        seconds[0] += 0.5
        encoded = await encoding
    assert (encoded.queue_ms, encoded.encode_ms, encoded.traced.index) == (500.0, 250.0, 4)
    assert (encoder.busy_s, encoder.rows_stepped) == (0.25, 1)


async def test_a_step_that_wants_no_answer_gets_none() -> None:
    async with Encoder(SumRunner(2), slots=2, workers=1) as encoder:
        leg = encoder.acquire()
        assert (await leg.encode(step(1.0, wanted=False))).traced.answer is None
        assert (await leg.answer()).call.spoof_probability == 1.0
        assert await hear(leg, 1.0) == 2.0


async def test_answers_and_steps_of_one_batch_find_their_legs() -> None:
    runner = SumRunner(5)
    async with gated(runner) as (encoder, gate):
        legs = [encoder.acquire() for _ in range(5)]
        first = asyncio.create_task(hear(legs[0], 1.0))
        await gate.reached()
        quiet = asyncio.create_task(legs[1].encode(step(2.0, wanted=False)))
        asking = asyncio.create_task(legs[2].answer())
        loud = [asyncio.create_task(hear(leg, 3.0 + n)) for n, leg in enumerate(legs[3:])]
        await settle()
        gate.open()
        assert await asyncio.gather(first, *loud) == [1.0, 3.0, 4.0]
        assert (await asking).call.spoof_probability == 0.0
        assert (await quiet).traced.answer is None
    assert runner.batches == [[0], [1, 3, 4]]


async def test_a_slot_that_was_released_takes_no_step() -> None:
    async with Encoder(SumRunner(1), slots=1, workers=1) as encoder:
        leg = encoder.acquire()
        leg.release()
        with pytest.raises(EncoderFailed, match="slot was released"):
            await hear(leg, 1.0)
        assert await hear(encoder.acquire(), 1.0) == 1.0


class BreakingPool(ThreadPoolExecutor):
    """Takes no work while it is broken."""

    is_broken = False

    def submit(self, *args: Any, **kwargs: Any) -> Future[Any]:
        """Refuse, or do it."""
        if self.is_broken:
            raise RuntimeError("can't start new thread")
        return super().submit(*args, **kwargs)


async def test_a_pool_that_breaks_leaves_nobody_waiting() -> None:
    pool = BreakingPool(1)
    async with Encoder(SumRunner(2), slots=2, rule=AT_ONCE, workers=1, thread=lambda: pool) as e:
        leg, other = e.acquire(), e.acquire()
        assert await hear(leg, 1.0) == 1.0
        pool.is_broken = True
        with pytest.raises(EncoderFailed, match="can't start new thread"):
            await hear(leg, 1.0)
        pool.is_broken = False
        assert await hear(other, 2.0) == 2.0
        leg.release()
        assert e.slots_in_use == 1


async def test_a_thread_that_cannot_be_had_is_told_before_any_call() -> None:
    broken = BreakingPool(1)
    broken.is_broken = True
    with pytest.raises(RuntimeError, match="can't start"):
        async with Encoder(SumRunner(1), slots=1, workers=1, thread=lambda: broken):
            pass
