"""A call of any length takes the same memory; its last window depends on its last minute alone."""

from __future__ import annotations

import gc
import sys
from collections.abc import Awaitable, Callable, Collection
from functools import cache
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType

import numpy as np
import pytest
import torch

from benchmarks.soak import receptive_steps
from streamtrace.audio.steps import Stepper
from streamtrace.encoder.batcher import Encoder
from streamtrace.encoder.runner import CpuRunner
from streamtrace.encoder.schedule import BatchRule
from streamtrace.events.events import CallGap, CallScore, Event
from streamtrace.fusion.tracer import Tracer
from streamtrace.session import CallSession
from streamtrace.values import (
    STEP_FRAMES,
    STEP_SAMPLES,
    WINDOW_STEPS,
    Answer,
    AudioChunk,
    Float32s,
    Leg,
    Step,
    Traced,
)
from tests.bundles import tiny_model

pytestmark = pytest.mark.laws

MINUTE = 250  # steps
TOLERANCE = 1e-4
CHUNK = 3 * STEP_SAMPLES
LOST_SAMPLES = 320  # of every chunk that is damaged
DAMAGED = 17  # every so many chunks
SHARED = (type, ModuleType, FunctionType, BuiltinFunctionType, MethodType)


@cache
def noise() -> Float32s:
    """Ten seconds and a bit that swell and fade, said again and again."""
    count = 160_001
    swell = 0.3 + np.abs(np.sin(np.arange(count) / 3000.0))
    noise = 0.1 * swell * np.random.default_rng(0).standard_normal(count)
    return np.tile(noise.astype(np.float32), 2)


def audio(start: int, count: int) -> Float32s:
    """The same wherever it is cut."""
    first = start % 160_001
    if count <= 160_001:
        return noise()[first : first + count]
    return np.concatenate([audio(start, 160_001), audio(start + 160_001, count - 160_001)])


class LongCall:
    """A session whose steps are traced as they come; now and then audio is lost."""

    def __init__(self, session: CallSession, trace: Callable[[Step], Awaitable[Traced]]) -> None:
        self.session = session
        self._trace = trace
        self._chunks = 0
        self.gaps = 0
        self.last: CallScore | None = None

    async def hear(self, steps: int, *, damaged: bool = True) -> None:
        """The call's next audio."""
        for _ in range(-(-steps * STEP_SAMPLES // CHUNK)):
            start = self._chunks * CHUNK
            lost = LOST_SAMPLES if damaged and self._chunks % DAMAGED == DAMAGED - 1 else 0
            chunk = AudioChunk(start + lost, audio(start + lost, CHUNK - lost))
            todo, said = self.session.feed_audio(Leg.CALLER, chunk)
            self._note(said)
            for step in todo:
                self._note(self.session.feed_traced(Leg.CALLER, await self._trace(step)))
            self._chunks += 1

    @property
    def end_sample(self) -> int:
        """How far it has come."""
        return self._chunks * CHUNK

    def _note(self, said: list[Event]) -> None:
        for event in said:
            self.gaps += isinstance(event, CallGap)
            if isinstance(event, CallScore):
                self.last = event


def reachable_bytes(*roots: object, leave_out: Collection[int] = ()) -> tuple[int, Collection[int]]:
    """What all that can be reached from the roots takes, and which that is; code is no part."""
    seen: dict[int, object] = {}
    found = list(roots)
    while found:
        one = found.pop()
        if id(one) in seen or id(one) in leave_out or isinstance(one, SHARED):
            continue
        seen[id(one)] = one
        found += gc.get_referents(one)
    return sum(sys.getsizeof(one) for one in seen.values()), set(seen)


async def long_call(
    minutes: float, trace: Callable[[Step], Awaitable[Traced]], *, looks: int
) -> LongCall:
    """A call of so many minutes, whose session takes no more at any look than at the second."""
    bundle = tiny_model().bundle
    session = CallSession(bundle.trace_model)
    _, shared = reachable_bytes(bundle.trace_model)
    session.start()
    session.open_leg(Leg.CALLER, "pcm", 16_000)
    call, sizes = LongCall(session, trace), list[int]()
    for _ in range(looks):
        await call.hear(round(minutes * MINUTE / looks))
        sizes.append(reachable_bytes(session, leave_out=shared)[0])
    assert max(sizes[1:]) <= sizes[1], sizes
    assert call.gaps > 2 * minutes
    # so that the last windows lie behind undamaged audio
    await call.hear(receptive_steps(bundle) + WINDOW_STEPS + 2, damaged=False)
    return call


def last_window(call: LongCall) -> tuple[float, float]:
    """Its probability and novelty."""
    assert call.last is not None
    assert call.last.window_decision is not None
    return call.last.window_decision.spoof_probability, call.last.window_decision.novelty


def offline_window(end_sample: int) -> tuple[float, float]:
    """The last window's probability and novelty: its receptive field encoded at once, in torch."""
    model = tiny_model()
    reach = receptive_steps(model.bundle)
    start = end_sample - (reach + WINDOW_STEPS) * STEP_SAMPLES
    pcm = audio(start, end_sample - start)
    steps = Stepper().feed(AudioChunk(start, pcm)).steps
    with torch.no_grad():
        frames = [part.numpy() for part in model.encoder(torch.from_numpy(pcm)[None])]
    tracer, row = Tracer(model.bundle.trace_model, 1), np.zeros(1, np.int64)
    for number, step in list(enumerate(steps))[reach:]:
        at = slice(number * STEP_FRAMES, (number + 1) * STEP_FRAMES)
        parts = [part[:, at] for part in frames]
        tracer.add(row, np.array([step.index]), step.usable[None], *parts)
    window = tracer.answer(row).each()[0].window
    return window.spoof_probability, window.novelty


@pytest.mark.parametrize(
    "minutes", [2, pytest.param(20, marks=[pytest.mark.slow, pytest.mark.timeout(300)])]
)
async def test_a_long_call_ends_as_offline(minutes: int) -> None:
    bundle = tiny_model().bundle
    runner = CpuRunner(bundle, slots=1)
    async with Encoder(runner, slots=1, workers=1, rule=BatchRule(most=1)) as encoder:
        slot = encoder.acquire()

        async def encode(step: Step) -> Traced:
            return (await slot.encode(step)).traced

        call = await long_call(minutes, encode, looks=5)
    wanted = offline_window(call.end_sample)
    np.testing.assert_allclose(last_window(call), wanted, atol=TOLERANCE, rtol=0)


class FramesByHeart:
    """Traces steps without encoding them: the frames of step N are always the same."""

    def __init__(self) -> None:
        model = tiny_model().bundle.trace_model
        self._tracer = Tracer(model, 1)
        self._frames = np.random.default_rng(0).standard_normal(
            (97, 1, STEP_FRAMES, model.width), np.float32
        )

    def hear(self, step: Step) -> Answer:
        """What is known behind the step."""
        row, level = np.zeros(1, np.int64), np.ones((1, STEP_FRAMES), np.float32)
        frames = self._frames[step.index % 97]
        self._tracer.add(row, np.array([step.index]), step.usable[None], frames, level, level)
        return self._tracer.answer(row).each()[0]

    async def __call__(self, step: Step) -> Traced:
        """Known at once."""
        answer = self.hear(step)
        return Traced(step.index, answer if step.wanted else None)


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_an_hour_of_frames_keeps_its_last_window() -> None:
    call = await long_call(60, FramesByHeart(), looks=6)
    fresh, window = FramesByHeart(), None
    start = call.end_sample - WINDOW_STEPS * STEP_SAMPLES
    for step in Stepper().feed(AudioChunk(start, audio(start, call.end_sample - start))).steps:
        window = fresh.hear(step).window
    assert window is not None
    wanted = window.spoof_probability, window.novelty
    np.testing.assert_allclose(last_window(call), wanted, atol=TOLERANCE, rtol=0)
