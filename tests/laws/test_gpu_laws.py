"""The engine's laws with the GPU's runner: one thread, resets from the loop, any batch size."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from streamtrace.encoder.batcher import Encoder, Slot
from streamtrace.encoder.gpu import GpuRunner
from streamtrace.encoder.gpu_device import PlainDevice
from streamtrace.encoder.schedule import BatchRule
from streamtrace.values import STEP_SAMPLES, Float32s
from tests.bundles import tiny_model
from tests.encoder.devices import LateDevice
from tests.laws.test_engine_laws import expected_alone, lives, said, steps_of, told, voice

pytestmark = pytest.mark.laws

BACKEND_TOLERANCE = 1e-4


def encoder_of(
    slots: int, *, device: PlainDevice | None = None, most: int = 4, rule: BatchRule | None = None
) -> Encoder:
    """The tiny model on the GPU's runner, which one thread owns."""
    runner = GpuRunner(
        tiny_model().bundle,
        slots=slots,
        device=device or PlainDevice(),
        precision="fp32",
        most=most,
    )
    return Encoder(runner, slots=slots, workers=1, rule=rule or BatchRule(most=most))


async def test_a_leg_hears_what_the_cpu_would_tell_it() -> None:
    async with encoder_of(1) as encoder:
        found = await told(encoder.acquire(), steps_of(voice(7 * STEP_SAMPLES, seed=3)))
    wanted = await asyncio.to_thread(expected_alone, 7, 3, 0.1)
    np.testing.assert_allclose(found, wanted, atol=BACKEND_TOLERANCE, rtol=0)


async def test_neighbours_change_nothing() -> None:
    steps = steps_of(voice(6 * STEP_SAMPLES))
    async with encoder_of(8, device=LateDevice()) as encoder:
        ours = encoder.acquire()
        loud = [
            told(encoder.acquire(), steps_of(voice((2 + n) * STEP_SAMPLES, seed=n, level=2.0)))
            for n in range(1, 8)
        ]
        found, *_ = await asyncio.gather(told(ours, steps), *loud)
    async with encoder_of(1) as encoder:
        alone = await told(encoder.acquire(), steps)
    np.testing.assert_allclose(found, alone, atol=1e-5, rtol=0)


async def test_a_reused_slot_starts_from_nothing() -> None:
    steps = steps_of(voice(5 * STEP_SAMPLES))
    async with encoder_of(1) as encoder:
        expected = await told(encoder.acquire(), steps)
    async with encoder_of(1) as encoder:
        for seed in range(1, 4):
            slot = encoder.acquire()
            await told(slot, steps_of(voice(11 * STEP_SAMPLES, seed=seed, level=2.0)))
            slot.release()
        found = await told(encoder.acquire(), steps)
    np.testing.assert_array_equal(found, expected)


@settings(max_examples=25, deadline=None)
@given(lives(), st.integers(1, 5), st.integers(1, 4), st.booleans(), st.data())
def test_whoever_comes_goes_stalls_or_vanishes_a_leg_hears_itself(
    given_lives: list[tuple[int, int, int, float]],
    slots: int,
    most: int,
    is_late: bool,
    data: st.DataObject,
) -> None:
    vanishing = data.draw(st.sets(st.integers(0, len(given_lives) - 1), max_size=2))

    async def speak(slot: Slot, number: int) -> Float32s | None:
        _, count, stall, level = given_lives[number]
        heard: list[Float32s] = []
        for step in steps_of(voice(count * STEP_SAMPLES, seed=number, level=level)):
            for _ in range(20 if step.index == stall else 0):
                await asyncio.sleep(0)
            if number in vanishing and step.index == stall:
                asyncio.create_task(slot.encode(step)).cancel()
                return None
            heard.append(said((await slot.encode(step)).traced.answer))
        np.testing.assert_allclose(said(await slot.answer()), heard[-1], atol=1e-5, rtol=0)
        return np.stack(heard)

    async def leg(encoder: Encoder, free: asyncio.Semaphore, number: int) -> Float32s | None:
        for _ in range(given_lives[number][0]):
            await asyncio.sleep(0)
        async with free:
            slot = encoder.acquire()
            try:
                return await speak(slot, number)
            finally:
                slot.release()
                for _ in range(10_000):  # its last batch may still run
                    if encoder.slots_in_use < encoder.slots:
                        break
                    await asyncio.sleep(0)

    async def run() -> list[Float32s | None]:
        device = LateDevice() if is_late else PlainDevice()
        rule = BatchRule(most=slots)  # a batch may be larger than the largest bucket
        async with encoder_of(slots, device=device, most=most, rule=rule) as encoder:
            free = asyncio.Semaphore(slots)
            legs = (leg(encoder, free, number) for number in range(len(given_lives)))
            return await asyncio.gather(*legs)

    for number, found in enumerate(asyncio.run(run())):
        if found is None:
            assert number in vanishing
            continue
        _, count, _, level = given_lives[number]
        wanted = expected_alone(count, number, level)
        np.testing.assert_allclose(found, wanted, atol=BACKEND_TOLERANCE, rtol=0)
