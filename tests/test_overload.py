"""An engine that is too slow drops the oldest audio, says so, stays near the present, and recovers.

Time is virtual: a step takes as long as its runner says, and audio comes in by the same clock.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest

from streamtrace.encoder.batcher import Encoder
from streamtrace.encoder.runner import CpuRunner, StepBatch
from streamtrace.encoder.schedule import BatchRule
from streamtrace.engine import Engine, drive
from streamtrace.events.wire import CallGapEvent, CallScoreEvent, CloudEvent
from streamtrace.fusion.tracer import Answers
from streamtrace.ports import LegOpened, SourceEnded, SourceItem
from streamtrace.sources.ring import AudioRing
from streamtrace.values import STEP_MS, AudioChunk, EndReason, GapCause, Leg
from tests.bundles import tiny_model
from tests.engines import types, voice
from tests.fakes import FakeClock, ListSink

FRAME = 320
FRAME_S = 0.02
STEP_S = STEP_MS / 1000
RING_S = 2.0
SLACK_S = 0.1
VOICE = voice(10.0)


class SlowRunner(CpuRunner):
    """Each batch takes as long as the clock is turned."""

    def __init__(self, clock: FakeClock, slots: int, takes_s: Callable[[float], float]) -> None:
        super().__init__(tiny_model().bundle, slots=slots)
        self._clock = clock
        self._takes_s = takes_s  # by the seconds since the beginning

    def run(self, batch: StepBatch) -> Answers | None:
        """Step them, late."""
        self._clock.advance(self._takes_s(self._clock.now() - 1000.0))
        return super().run(batch)


class PacedLine:
    """A caller who speaks by the clock, into a ring that keeps what is young."""

    def __init__(self, clock: FakeClock, seconds: float, begin_s: float = 0.0) -> None:
        self._clock = clock
        self._frames = round(seconds / FRAME_S)
        self._begin_s = 1000.0 + begin_s
        self._sent = 0
        self._taken = 0
        self.ring = AudioRing(most_age_s=RING_S)

    async def __aiter__(self) -> AsyncIterator[SourceItem]:
        yield LegOpened(Leg.CALLER, "PCMU", 8000)
        self._hear()
        async for audio in self.ring:
            self._taken += 1
            yield audio
            self._hear()
        yield SourceEnded(EndReason.HUNG_UP)

    def _hear(self) -> None:
        """Take what was said meanwhile; where nothing was, time goes on to the next frame."""
        waiting = self._sent - self._taken - self.ring.dropped_ms // 20
        if not waiting and self._sent < self._frames and self._due_s() > self._clock.now():
            self._clock.advance(self._due_s() - self._clock.now())
        while self._sent < self._frames and self._due_s() <= self._clock.now():
            start = self._sent * FRAME
            pcm = VOICE[start % len(VOICE) :][:FRAME]
            self.ring.put(AudioChunk(start, pcm), self._due_s())
            self._sent += 1
        if self._sent == self._frames:
            self.ring.close()

    def _due_s(self) -> float:
        return self._begin_s + (self._sent + 1) * FRAME_S


@dataclass(frozen=True)
class Held:
    """What became of a call."""

    events: list[CloudEvent]
    dropped_ms: int

    @property
    def scores(self) -> list[CallScoreEvent]:
        """Without the final."""
        found = [event for event in self.events if isinstance(event, CallScoreEvent)]
        return [event for event in found if not event.data.is_final]

    @property
    def gaps(self) -> list[CallGapEvent]:
        """Where audio is missing."""
        return [event for event in self.events if isinstance(event, CallGapEvent)]

    @property
    def latency_s(self) -> list[float]:
        """Of each score."""
        return [
            score.data.latency_ms.total / 1000 for score in self.scores if score.data.latency_ms
        ]


async def hold(calls: int, seconds: float, takes_s: Callable[[float], float]) -> list[Held]:
    """Calls on one worker, batches of one; whoever waits for more than a minute waits for ever."""
    clock = FakeClock()
    engine = Engine(tiny_model().bundle.path, slots=calls, workers=1, clock=clock)
    engine.encoder = Encoder(
        SlowRunner(clock, calls, takes_s),
        slots=calls,
        workers=1,
        rule=BatchRule(most=1),
        now=clock.now,
    )
    lines = [PacedLine(clock, seconds, number * STEP_S / calls) for number in range(calls)]
    sinks = [ListSink[CloudEvent]() for _ in lines]
    async with asyncio.timeout(60), engine:
        async with asyncio.TaskGroup() as group:
            for line, sink in zip(lines, sinks, strict=True):
                group.create_task(drive(line, engine.open_call(sink=sink)))
        assert engine.encoder.steps_waiting == 0
        assert engine.encoder.slots_in_use == 0
    return [
        Held(sink.events, line.ring.dropped_ms) for line, sink in zip(lines, sinks, strict=True)
    ]


def missing_ms(held: Held) -> int:
    """All gaps together."""
    return sum(event.data.end_ms - event.data.start_ms for event in held.gaps)


async def test_an_engine_in_time_drops_nothing() -> None:
    (held,) = await hold(1, 6.0, lambda at_s: 0.1)
    assert held.dropped_ms == 0
    assert held.gaps == []
    assert not any(score.data.quality.degraded for score in held.scores)
    assert max(held.latency_s) == pytest.approx(0.1, abs=0.03)


async def test_too_slow_an_engine_drops_the_oldest_and_says_so() -> None:
    slow_s = 1.5 * STEP_S
    (held,) = await hold(1, 24.0, lambda at_s: slow_s)
    assert held.dropped_ms > 0
    assert {event.data.cause for event in held.gaps} == {GapCause.DROPPED}
    # A third of the audio is too much for it, and little more than that is given up.
    assert missing_ms(held) == pytest.approx(held.dropped_ms, abs=2 * RING_S * 1000)
    assert 0.15 < held.dropped_ms / 24_000 < 0.4
    assert max(held.latency_s) <= RING_S + 3 * slow_s + SLACK_S
    degraded = [score.data.quality.degraded for score in held.scores]
    assert not degraded[0]
    assert degraded[-1]
    assert types(held.events)[-2:] == ["final", "ended"]


async def test_the_backlog_drains_when_the_load_falls_back() -> None:
    def takes_s(at_s: float) -> float:
        return 2 * STEP_S if 4.0 < at_s < 14.0 else 0.05

    (held,) = await hold(1, 30.0, takes_s)
    assert held.dropped_ms > 1_000
    by_end = {score.data.segment.end_ms / 1000: score for score in held.scores}
    before = [score for at_s, score in by_end.items() if at_s < 4.0]
    after = [score for at_s, score in by_end.items() if at_s > 20.0]
    assert len(before) > 5
    assert len(after) > 15
    for score in [*before, *after]:
        assert score.data.latency_ms is not None
        assert score.data.latency_ms.total < 100
        assert not score.data.quality.degraded
    assert all(event.data.start_ms < 15_000 for event in held.gaps)


async def test_many_calls_share_the_shortage_and_none_waits_for_ever() -> None:
    calls, each_s = 6, STEP_S / 2  # three times what one worker can do
    held = await hold(calls, 12.0, lambda at_s: each_s)
    for one in held:
        assert types(one.events)[-2:] == ["final", "ended"]
        assert one.dropped_ms > 0
        assert {event.data.cause for event in one.gaps} == {GapCause.DROPPED}
        # What is taken is at most as old as the ring lets it be; then its step has its turn.
        assert max(one.latency_s) <= RING_S + 3 * calls * each_s + SLACK_S
        assert one.scores[-1].data.quality.degraded
    kept = [12_000 - one.dropped_ms for one in held]
    assert max(kept) < 2 * min(kept)
