"""What the engine owes a leg: the same answers whoever else comes, goes, stalls or fails."""

from __future__ import annotations

import asyncio
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from streamtrace.audio.steps import Stepper
from streamtrace.demo.callers import synthetic_callers
from streamtrace.encoder.batcher import Encoder, Slot
from streamtrace.encoder.bundle import Bundle
from streamtrace.encoder.runner import CpuRunner, StepBatch
from streamtrace.encoder.schedule import BatchRule
from streamtrace.errors import EncoderFailed
from streamtrace.fusion.tracer import Answers, Tracer
from streamtrace.values import STEP_FRAMES, STEP_SAMPLES, Answer, AudioChunk, Float32s, Step
from tests.bundles import default_bundle, tiny_model, torch_encoder

pytestmark = pytest.mark.laws

OFFLINE_TOLERANCE = 1e-4
NEIGHBOUR_TOLERANCE = 1e-5
MODELS = {"tiny": lambda: tiny_model().bundle, "default": default_bundle}


@pytest.fixture(params=MODELS)
def bundle(request: pytest.FixtureRequest) -> Bundle:
    """A small model of random weights, and the packaged one."""
    return MODELS[request.param]()


def voice(samples: int, *, seed: int = 0, level: float = 0.1) -> Float32s:
    """Noise that swells and fades, [samples]."""
    noise = np.random.default_rng(seed).standard_normal(samples)
    swell = 0.3 + np.abs(np.sin(np.arange(samples) / 3000.0 + seed))
    return (level * swell * noise).astype(np.float32)


def speech(bundle: Bundle, samples: int, *, level: float = 0.1) -> Float32s:
    """What the model takes for speech: of the packaged one, a voice."""
    if bundle.ref == tiny_model().bundle.ref:
        return voice(samples, level=level)
    return (10 * level * np.resize(synthetic_callers()[0].pcm, samples)).astype(np.float32)


def steps_of(pcm: Float32s) -> list[Step]:
    """As the product cuts them, padded at the end, an answer wanted behind each."""
    stepper = Stepper()
    cut = stepper.feed(AudioChunk(0, pcm)).steps + stepper.flush().steps
    return [Step(one.index, one.pcm, one.usable, one.fresh, wanted=True) for one in cut]


def said(answer: Answer | None) -> Float32s:
    """All numbers of an answer, side by side."""
    assert answer is not None
    parts = [
        [one.spoof_probability, one.novelty, one.speech_ms / 1000, *one.attribution, *one.families]
        for one in (answer.call, answer.window)
    ]
    return np.concatenate(parts).astype(np.float32)


async def told(slot: Slot, steps: list[Step]) -> Float32s:
    """[steps, numbers]: what the engine answers behind each step."""
    return np.stack([said((await slot.encode(step)).traced.answer) for step in steps])


async def alone(bundle: Bundle, steps: list[Step]) -> Float32s:
    """One leg, with the engine to itself."""
    async with Encoder.of(bundle, slots=1, workers=1) as encoder:
        return await told(encoder.acquire(), steps)


@cache
def offline_encoder(path: str) -> torch.nn.Module:
    """The bundle's weights in torch."""
    return torch_encoder(default_bundle() if "default" in path else tiny_model().bundle)


def offline(bundle: Bundle, pcm: Float32s) -> Float32s:
    """The same numbers from the whole leg encoded at once, and every step pooled as it comes."""
    steps, row = steps_of(pcm), np.zeros(1, np.int64)
    padded = np.zeros(len(steps) * STEP_SAMPLES, np.float32)
    padded[: len(pcm)] = pcm
    with torch.no_grad():
        frames = offline_encoder(str(bundle.path))(torch.from_numpy(padded)[None])
    embedding, attention, activity = (part.numpy() for part in frames)
    tracer, rows = Tracer(bundle.trace_model, 1), list[Float32s]()
    for step in steps:
        at = slice(step.index * STEP_FRAMES, (step.index + 1) * STEP_FRAMES)
        tracer.add(
            row,
            np.array([step.index]),
            step.usable[None],
            embedding[:, at],
            attention[:, at],
            activity[:, at],
        )
        rows.append(said(tracer.answer(row).each()[0]))
    return np.stack(rows)


@pytest.mark.parametrize("level", [1e-5, 0.1, 1.0])
async def test_live_answers_equal_offline_ones(bundle: Bundle, level: float) -> None:
    pcm = speech(bundle, 21 * STEP_SAMPLES + 1234, level=level)
    found = await alone(bundle, steps_of(pcm))
    np.testing.assert_allclose(found, offline(bundle, pcm), atol=OFFLINE_TOLERANCE, rtol=0)
    assert level < 1e-3 or found[-1, 2] > 1.0  # it heard more than a second of speech


async def test_neighbours_change_nothing(bundle: Bundle) -> None:
    steps = steps_of(speech(bundle, 12 * STEP_SAMPLES))
    expected = await alone(bundle, steps)
    async with Encoder.of(bundle, slots=8, workers=2) as encoder:
        ours = encoder.acquire()
        loud = [
            told(encoder.acquire(), steps_of(voice((4 + 2 * n) * STEP_SAMPLES, seed=n, level=2.0)))
            for n in range(1, 8)
        ]
        found, *_ = await asyncio.gather(told(ours, steps), *loud)
    np.testing.assert_allclose(found, expected, atol=NEIGHBOUR_TOLERANCE, rtol=0)


async def test_a_reused_slot_starts_from_nothing(bundle: Bundle) -> None:
    steps = steps_of(speech(bundle, 5 * STEP_SAMPLES))
    expected = await alone(bundle, steps)
    async with Encoder.of(bundle, slots=1, workers=1) as encoder:
        for seed in range(1, 4):
            slot = encoder.acquire()
            await told(slot, steps_of(voice(11 * STEP_SAMPLES, seed=seed, level=2.0)))
            slot.release()
        found = await told(encoder.acquire(), steps)
    np.testing.assert_array_equal(found, expected)


async def test_hanging_up_in_the_middle_never_reaches_the_next_tenant() -> None:
    bundle, steps = tiny_model().bundle, steps_of(voice(4 * STEP_SAMPLES))
    expected = await alone(bundle, steps)
    async with Encoder.of(bundle, slots=2, workers=2) as encoder:
        for turns in range(12):
            slot = encoder.acquire()
            before = steps_of(voice(9 * STEP_SAMPLES, seed=turns, level=2.0))
            leaving = asyncio.create_task(told(slot, before))
            for _ in range(turns):
                await asyncio.sleep(0)
            leaving.cancel()
            slot.release()
            next_tenant = encoder.acquire()
            found = await told(next_tenant, steps)
            next_tenant.release()
            np.testing.assert_array_equal(found, expected)


class CursedRunner(CpuRunner):
    """Fails every batch that row 0 is in."""

    def run(self, batch: StepBatch) -> Answers | None:
        """Raise or step."""
        if 0 in batch.rows:
            raise FloatingPointError("row 0 is cursed")
        return super().run(batch)


async def test_a_failing_batch_fails_its_own_calls_only() -> None:
    bundle, steps = tiny_model().bundle, steps_of(voice(6 * STEP_SAMPLES))
    expected = await alone(bundle, steps)
    runner = CursedRunner(bundle, slots=2)
    async with Encoder(runner, slots=2, workers=2, rule=BatchRule(most=1)) as encoder:
        cursed, sound = encoder.acquire(), encoder.acquire()
        failed, found = await asyncio.gather(
            told(cursed, steps), told(sound, steps), return_exceptions=True
        )
    assert isinstance(failed, EncoderFailed)
    np.testing.assert_array_equal(found, expected)


@st.composite
def lives(draw: st.DrawFn) -> list[tuple[int, int, int, float]]:
    """Legs: when each comes (in turns of the loop), its steps, where it stalls, how loud it is."""
    leg = st.tuples(
        st.integers(0, 40), st.integers(1, 7), st.integers(0, 7), st.sampled_from([0.05, 0.5, 3.0])
    )
    return draw(st.lists(leg, min_size=2, max_size=9))


@cache
def expected_alone(steps: int, seed: int, level: float) -> Float32s:
    """What a leg is told when nobody else is there."""
    pcm = voice(steps * STEP_SAMPLES, seed=seed, level=level)
    return asyncio.run(alone(tiny_model().bundle, steps_of(pcm)))


@settings(max_examples=40, deadline=None)
@given(
    lives(),
    st.integers(1, 4),
    st.builds(BatchRule, most=st.integers(1, 8), budget_s=st.sampled_from([0.0, 0.002])),
    st.data(),
)
def test_whoever_comes_goes_stalls_or_vanishes_a_leg_hears_itself(
    given_lives: list[tuple[int, int, int, float]], slots: int, rule: BatchRule, data: st.DataObject
) -> None:
    bundle = tiny_model().bundle
    vanishing = data.draw(st.sets(st.integers(0, len(given_lives) - 1), max_size=2))

    async def leg(encoder: Encoder, free: asyncio.Semaphore, number: int) -> Float32s | None:
        comes, count, stall, level = given_lives[number]
        for _ in range(comes):
            await asyncio.sleep(0)
        async with free:
            slot = encoder.acquire()
            try:
                heard: list[Float32s] = []
                for step in steps_of(voice(count * STEP_SAMPLES, seed=number, level=level)):
                    for _ in range(50 if step.index == stall else 0):
                        await asyncio.sleep(0)
                    if number in vanishing and step.index == stall:
                        # It leaves without a word while its step is on the way.
                        asyncio.create_task(slot.encode(step)).cancel()
                        return None
                    heard.append(said((await slot.encode(step)).traced.answer))
                return np.stack(heard)
            finally:
                slot.release()
                await asyncio.sleep(0)
                for _ in range(10_000):  # its last batch may still run
                    if encoder.slots_in_use < encoder.slots:
                        break
                    await asyncio.sleep(0)

    async def run() -> list[Float32s | None]:
        runner = CpuRunner(bundle, slots=slots)
        async with Encoder(runner, slots=slots, workers=2, rule=rule) as encoder:
            free = asyncio.Semaphore(slots)
            found = await asyncio.gather(
                *(leg(encoder, free, number) for number in range(len(given_lives)))
            )
            assert encoder.slots_in_use == 0
            return found

    for number, found in enumerate(asyncio.run(run())):
        if found is None:
            assert number in vanishing
            continue
        _, count, _, level = given_lives[number]
        wanted = expected_alone(count, number, level)
        np.testing.assert_allclose(found, wanted, atol=NEIGHBOUR_TOLERANCE, rtol=0)
