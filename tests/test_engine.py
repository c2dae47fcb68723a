"""Calls through the engine: their story is whole however they end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

import numpy as np
import pytest

from streamtrace.call import PIECE_SAMPLES, Call
from streamtrace.encoder.batcher import Encoder
from streamtrace.encoder.bundle import load_bundle
from streamtrace.encoder.cache import Rows
from streamtrace.encoder.cpu import OrtStepRunner, StepFrames
from streamtrace.engine import Engine, SystemClock, drive, new_call_id
from streamtrace.errors import BundleError, EngineFull, ProtocolViolation
from streamtrace.events.wire import (
    CallEndedEvent,
    CallGapEvent,
    CallScoreEvent,
    CallStartedEvent,
    CloudEvent,
)
from streamtrace.ports import (
    CallBound,
    LegAudio,
    LegDtmf,
    LegOpened,
    SourceEnded,
    SourceItem,
)
from streamtrace.values import AudioChunk, Bools, EndReason, Float32s, GapCause, Leg, Verdict
from tests.bundles import tiny_model
from tests.fakes import FakeClock, ListSink


def voice(seconds: float, *, rate_hz: int = 16_000, seed: int = 0) -> Float32s:
    """Loud noise: speech enough for an untrained model."""
    count = int(seconds * rate_hz)
    return (0.1 * np.random.default_rng(seed).standard_normal(count)).astype(np.float32)


def tiny_engine(*, slots: int = 8, clock: FakeClock | None = None) -> Engine:
    """An engine that costs nothing."""
    return Engine(tiny_model().bundle.path, slots=slots, workers=1, clock=clock or FakeClock())


def types(events: list[CloudEvent]) -> list[str]:
    """What was said, in short; a final score is told apart."""
    return [
        "final" if isinstance(event, CallScoreEvent) and event.data.is_final else event.type[5:-3]
        for event in events
    ]


def finals(events: list[CloudEvent]) -> list[CallScoreEvent]:
    """The final scores."""
    scores = [event for event in events if isinstance(event, CallScoreEvent)]
    return [score for score in scores if score.data.is_final]


async def test_a_call_tells_its_story_in_order() -> None:
    sink = ListSink[CloudEvent]()
    async with tiny_engine() as engine:
        call = engine.open_call(external_id="CA1", line="support", protocol="pcm", sink=sink)
        said = call.open_leg(Leg.CALLER, codec="PCMU", rate_hz=8000)
        said += await call.feed(AudioChunk(0, voice(1.0)))
        said += await call.end()
    assert types(said) == ["started", "media", "score", "score", "final", "ended"]
    assert sink.events == said
    assert [event.number for event in said] == list(range(1, 7))
    assert len({event.id for event in said}) == 6
    assert {event.subject for event in said} == {call.id}
    assert {event.data.external_id for event in said} == {"CA1"}
    assert call.ended is EndReason.HUNG_UP
    assert engine.calls == ()


async def test_the_newest_score_is_kept_with_its_whole_attribution() -> None:
    async with tiny_engine() as engine:
        call = engine.open_call()
        await call.feed(AudioChunk(0, voice(1.0)))
        assert not call.scores[Leg.CALLER].is_final
        await call.end()
    final = call.scores[Leg.CALLER]
    assert final.is_final
    assert len(final.decision.attribution) == len(tiny_model().bundle.catalog.sources) + 1


@pytest.mark.parametrize("chunk_ms", [20, 37, 500, 3000])
async def test_chunks_do_not_matter(chunk_ms: int) -> None:
    pcm = voice(3.0, rate_hz=8000)
    async with tiny_engine() as engine:
        whole, cut = engine.open_call(), engine.open_call()
        await whole.feed_pcm(pcm, 8000)
        size = 8 * chunk_ms
        for start in range(0, len(pcm), size):
            await cut.feed_pcm(pcm[start : start + size], 8000)
        expected, found = finals(await whole.end())[0].data, finals(await cut.end())[0].data
    assert found.segment == expected.segment
    assert found.verdict == expected.verdict
    assert found.spoof_probability == pytest.approx(expected.spoof_probability, abs=1e-4)
    assert found.novelty == pytest.approx(expected.novelty, abs=1e-4)


async def test_a_long_chunk_lets_other_calls_go_in_between() -> None:
    async with tiny_engine() as engine:
        long, short = engine.open_call(), engine.open_call()
        feeding = asyncio.create_task(long.feed(AudioChunk(0, voice(60.0))))
        await asyncio.sleep(0)
        await short.feed(AudioChunk(0, voice(0.5)))
        assert not feeding.done()
        await feeding
        assert long.scores[Leg.CALLER].duration_ms == 60_000


async def test_legs_are_apart() -> None:
    async with tiny_engine() as engine:
        call, other = engine.open_call(), engine.open_call()
        await call.feed(AudioChunk(0, voice(2.0)), Leg.CALLER)
        await call.feed(AudioChunk(0, voice(3.0, seed=1)), Leg.CALLEE)
        await other.feed(AudioChunk(0, voice(2.0)), Leg.CALLER)
        caller, callee = finals(await call.end())
        lone = finals(await other.end())[0]
    assert (caller.data.leg, callee.data.leg) == (Leg.CALLER, Leg.CALLEE)
    assert caller.data.spoof_probability == lone.data.spoof_probability
    assert callee.data.duration_ms == 3000


async def test_latencies_are_told_from_the_last_sample_received() -> None:
    clock = FakeClock()
    async with tiny_engine(clock=clock) as engine:
        call = engine.open_call()
        received_at = clock.now()
        clock.advance(0.25)
        said = await call.feed(AudioChunk(0, voice(0.48)), received_at=received_at)
        said += await call.end()
    scores = [event.data.latency_ms for event in said if isinstance(event, CallScoreEvent)]
    assert [score and score.total for score in scores] == [250.0, 0.0]
    assert {event.time for event in said} == {"2026-01-02T03:04:05.250Z"}


async def test_a_call_without_audio_has_its_finals() -> None:
    async with tiny_engine() as engine:
        silent, empty = engine.open_call(), engine.open_call()
        silent.open_leg(Leg.CALLER, codec="opus", rate_hz=48_000)
        said = await silent.end(EndReason.IDLE_TIMEOUT)
        assert types(said) == ["final", "ended"]
        assert finals(said)[0].data.verdict is Verdict.NO_SPEECH
        assert types(await empty.end(EndReason.START_TIMEOUT)) == ["started", "ended"]


async def test_behind_the_end_nothing_is_said() -> None:
    async with tiny_engine() as engine:
        call = engine.open_call()
        await call.feed(AudioChunk(0, voice(1.0)))
        await call.end()
        assert await call.end(EndReason.SOURCE_LOST) == []
        assert await call.feed(AudioChunk(16_000, voice(1.0))) == []
        assert await call.feed_pcm(voice(1.0), 16_000, Leg.CALLEE) == []
        assert call.open_leg(Leg.CALLEE, codec="pcm", rate_hz=16_000) == []
        assert call.ended is EndReason.HUNG_UP
        assert engine.encoder.slots_in_use == 0


async def test_a_leg_opens_once() -> None:
    async with tiny_engine() as engine:
        call = engine.open_call()
        call.open_leg(Leg.CALLER, codec="pcm", rate_hz=16_000)
        with pytest.raises(ProtocolViolation, match="open already"):
            call.open_leg(Leg.CALLER, codec="pcm", rate_hz=16_000)
        assert engine.encoder.slots_in_use == 1


async def test_a_full_engine_refuses_a_leg_and_goes_on() -> None:
    async with tiny_engine(slots=1) as engine:
        first, second = engine.open_call(), engine.open_call()
        await first.feed(AudioChunk(0, voice(1.0)))
        with pytest.raises(EngineFull):
            await second.feed(AudioChunk(0, voice(1.0)))
        assert types(await second.end())[-1] == "ended"
        assert types(await first.end()) == ["final", "ended"]
        third = engine.open_call()
        assert "score" in types(await third.feed(AudioChunk(0, voice(1.0))))


async def test_closing_the_engine_ends_its_calls() -> None:
    sink = ListSink[CloudEvent]()
    async with tiny_engine() as engine:
        for _ in range(3):
            await engine.open_call(sink=sink).feed(AudioChunk(0, voice(0.7)))
    ended = [event.data.reason for event in sink.events if isinstance(event, CallEndedEvent)]
    assert ended == [EndReason.DRAINED] * 3
    assert len(finals(sink.events)) == 3


class CursedRunner(OrtStepRunner):
    """Fails every batch that row 0 is in."""

    def run(self, rows: Rows, pcm: Float32s, is_lent: Callable[[], Bools]) -> StepFrames:
        """Raise or step."""
        if 0 in rows:
            raise FloatingPointError("row 0 is cursed")
        return super().run(rows, pcm, is_lent)


async def test_an_encoder_that_fails_ends_the_call_with_its_finals() -> None:
    bundle = tiny_model().bundle
    runner = CursedRunner(bundle.step_path, slots=2)
    ended: list[Call] = []
    async with Encoder(runner, slots=2, workers=2, max_batch=1) as encoder:
        cursed, sound = (
            Call(
                id,
                encoder=encoder,
                model=bundle.trace_model,
                clock=FakeClock(),
                external_id=None,
                line=None,
                protocol="api",
                sink=None,
                on_end=ended.append,
            )
            for id in ("call_cursed", "call_sound")
        )
        told, others = await asyncio.gather(
            cursed.feed(AudioChunk(0, voice(1.0))), sound.feed(AudioChunk(0, voice(1.0)))
        )
        assert types(told) == ["started", "media", "final", "ended"]
        last = told[-1]
        assert isinstance(last, CallEndedEvent)
        assert last.data.reason is EndReason.ENGINE_FAILED
        assert "row 0 is cursed" in str(last.data.error)
        assert ended == [cursed]
        assert await cursed.end() == []
        assert types(others + await sound.end())[-3:] == ["score", "final", "ended"]
        assert encoder.slots_in_use == 0


class Script:
    """A source that gives these items, then does something."""

    def __init__(self, *items: SourceItem, then: Callable[[], object] = lambda: None) -> None:
        self._items, self._then = items, then

    async def __aiter__(self) -> AsyncIterator[SourceItem]:
        for item in self._items:
            yield item
        outcome = self._then()
        if asyncio.isfuture(outcome) or asyncio.iscoroutine(outcome):
            await outcome


OPENED = LegOpened(Leg.CALLER, "PCMU", 8000)
AUDIO = LegAudio(Leg.CALLER, AudioChunk(0, voice(1.0)), received_at_s=1000.0)


def raiser(error: Exception) -> Callable[[], object]:
    """Something that raises."""

    def fail() -> None:
        raise error

    return fail


async def run(engine: Engine, source: Script) -> tuple[Call, ListSink[CloudEvent]]:
    """Drive one source to its end."""
    sink = ListSink[CloudEvent]()
    call = engine.open_call(sink=sink)
    await drive(source, call)
    return call, sink


def ending(sink: ListSink[CloudEvent]) -> tuple[list[str], EndReason, str | None]:
    """The last two events, and why."""
    last = sink.events[-1]
    assert isinstance(last, CallEndedEvent)
    return types(sink.events)[-2:], last.data.reason, last.data.error


async def test_a_driven_call_is_named_from_its_first_event() -> None:
    async with tiny_engine() as engine:
        bound = CallBound("CA9", {"team": "fraud"})
        items = (bound, OPENED, AUDIO, LegDtmf(Leg.CALLER, "5"), SourceEnded(EndReason.HUNG_UP))
        call, sink = await run(engine, Script(*items))
    assert isinstance(sink.events[0], CallStartedEvent)
    assert {event.data.external_id for event in sink.events} == {"CA9"}
    assert types(sink.events) == ["started", "media", "score", "score", "final", "ended"]
    assert call.ended is EndReason.HUNG_UP


async def test_a_source_that_just_stops_is_lost() -> None:
    async with tiny_engine() as engine:
        _, sink = await run(engine, Script(OPENED, AUDIO))
    assert ending(sink) == (["final", "ended"], EndReason.SOURCE_LOST, None)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ProtocolViolation("a second start", 4409), EndReason.PROTOCOL_ERROR),
        (ConnectionResetError("gone"), EndReason.SOURCE_LOST),
    ],
)
async def test_a_source_that_breaks_is_told_and_raised(error: Exception, reason: EndReason) -> None:
    async with tiny_engine() as engine:
        sink = ListSink[CloudEvent]()
        call = engine.open_call(sink=sink)
        with pytest.raises(type(error)):
            await drive(Script(OPENED, AUDIO, then=raiser(error)), call)
        assert engine.encoder.slots_in_use == 0
    assert ending(sink) == (["final", "ended"], reason, str(error))


async def test_a_gap_says_why_its_audio_is_missing() -> None:
    sink = ListSink[CloudEvent]()
    frames = [
        LegAudio(Leg.CALLER, AudioChunk(at, voice(0.02)), 0.0, cause)
        for at, cause in [(0, GapCause.LOST), (640, GapCause.LOST), (1280, GapCause.DROPPED)]
    ]
    async with tiny_engine() as engine:
        await drive(Script(OPENED, *frames), engine.open_call(sink=sink))
    gaps = [event.data for event in sink.events if isinstance(event, CallGapEvent)]
    assert [(gap.start_ms, gap.end_ms, gap.cause) for gap in gaps] == [
        (20, 40, GapCause.LOST),
        (60, 80, GapCause.DROPPED),
    ]


async def test_a_cancelled_call_is_drained() -> None:
    async with tiny_engine() as engine:
        sink = ListSink[CloudEvent]()
        reached = asyncio.Event()

        async def hang() -> None:
            reached.set()
            await asyncio.Event().wait()

        driving = asyncio.create_task(
            drive(Script(OPENED, AUDIO, then=hang), engine.open_call(sink=sink))
        )
        await reached.wait()
        driving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await driving
    assert ending(sink) == (["final", "ended"], EndReason.DRAINED, None)


async def test_a_call_ended_from_outside_stops_its_drive() -> None:
    async with tiny_engine() as engine:
        sink = ListSink[CloudEvent]()
        call = engine.open_call(sink=sink)

        async def too_long() -> AsyncIterator[SourceItem]:
            yield OPENED
            yield AUDIO
            await call.end(EndReason.TOO_LONG)
            yield AUDIO
            raise AssertionError("the drive went on")

        assert await drive(too_long(), call) is EndReason.TOO_LONG
    assert types(sink.events).count("ended") == 1


async def test_ending_waits_for_the_step_that_runs_and_no_more() -> None:
    async with tiny_engine() as engine:
        call = engine.open_call()
        feeding = asyncio.create_task(call.feed(AudioChunk(0, voice(120.0))))
        await asyncio.sleep(0)
        said = await call.end()
        assert types(said)[-2:] == ["final", "ended"]
        await feeding
    assert call.scores[Leg.CALLER].duration_ms <= 2 * PIECE_SAMPLES // 16


async def test_a_cancelled_end_still_has_its_finals() -> None:
    async with tiny_engine() as engine:
        sink = ListSink[CloudEvent]()
        call = engine.open_call(sink=sink)
        await call.feed(AudioChunk(0, voice(1.1)))
        ends = asyncio.create_task(call.end())
        await asyncio.sleep(0)
        ends.cancel()
        with pytest.raises(asyncio.CancelledError):
            await ends
        assert types(sink.events)[-2:] == ["final", "ended"]
        assert engine.encoder.slots_in_use <= 1  # its last batch may still run


def test_a_wrong_model_directory_is_refused_at_once(tmp_path: object) -> None:
    with pytest.raises(BundleError, match="no such model directory"):
        Engine(f"{tmp_path}/nothing")


def test_the_model_is_the_bundles() -> None:
    path = tiny_model().bundle.path
    assert Engine(str(path)).bundle.ref == load_bundle(path).ref


def test_call_ids_sort_by_time() -> None:
    early, late = (new_call_id(datetime(2026, 1, day, tzinfo=UTC)) for day in (1, 2))
    assert early < late
    assert {len(early), len(late)} == {31}
    assert early.startswith("call_")
    assert new_call_id(datetime(2026, 1, 1, tzinfo=UTC)) != early


def test_the_system_clock_is_aware_and_monotonic() -> None:
    clock = SystemClock()
    assert clock.utc().tzinfo is UTC
    assert clock.now() <= clock.now()
