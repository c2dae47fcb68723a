"""Engines and driven calls: the story is whole however a source ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

import pytest

from streamtrace.call import PIECE_SAMPLES, Call
from streamtrace.encoder.bundle import load_bundle
from streamtrace.engine import Engine, SystemClock, drive, new_call_id
from streamtrace.errors import BundleError, EngineFull, ProtocolViolation
from streamtrace.events.wire import (
    CallEndedEvent,
    CallGapEvent,
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
from streamtrace.values import AudioChunk, EndReason, GapCause, Leg
from tests.bundles import tiny_model
from tests.engines import finals, tiny_engine, types, voice
from tests.fakes import ListSink


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
