"""Who may come, and that whoever came has an end, however it is cut off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from streamtrace.admission import Load
from streamtrace.engine import Engine
from streamtrace.errors import CallRejected, NotAllowed, StreamTaken
from streamtrace.ports import LegOpened, SourceItem
from streamtrace.server.state import ServerState
from streamtrace.settings import Settings
from streamtrace.values import EndReason, Leg
from tests.bundles import tiny_model


class Silent:
    """A far side that opens its leg and says nothing."""

    async def __aiter__(self) -> AsyncIterator[SourceItem]:
        yield LegOpened(Leg.CALLER, "pcm", 16_000)
        await asyncio.Event().wait()


def engine() -> Engine:
    return Engine(tiny_model().bundle.path, slots=8, workers=1)


async def test_a_call_that_is_drained_before_it_began_has_its_end() -> None:
    async with engine() as own, ServerState(Settings(drain_s=1.0), own) as state:
        live = state.start_call(external_id="X", line=None, protocol="pcm")
        running = asyncio.create_task(state.run(Silent(), live))
        await asyncio.sleep(0)  # its drive exists, and has not had its first turn
        await state.drain()
        await running
        assert live.reason is EndReason.DRAINED
        assert own.calls == ()
        assert state.registry.open_calls == 0


async def test_an_announced_call_that_comes_amid_a_drain_is_refused() -> None:
    async with engine() as own, ServerState(Settings(drain_s=1.0), own) as state:
        assert state.announce("X", None) is not None
        with state.seat():
            draining = asyncio.create_task(state.drain())
            await asyncio.sleep(0)
            with pytest.raises(CallRejected, match="going down"):
                state.start_call(external_id="X", line=None, protocol="pcm")
            await draining
        assert own.calls == ()


async def test_an_announced_call_finds_its_own_place() -> None:
    async with engine() as own, ServerState(Settings(max_calls=1), own) as state:
        assert state.announce("X", None) is not None
        with pytest.raises(CallRejected, match="all 1 calls"):
            state.announce("Y", None)
        with state.seat() as seat:
            with pytest.raises(CallRejected, match="all 1 calls"), state.seat():
                pass
            seat.leave()
            with pytest.raises(CallRejected, match="all 1 calls"):
                state.start_call(external_id="stranger", line=None, protocol="pcm")
            live = state.start_call(external_id="X", line=None, protocol="pcm")
        with pytest.raises(CallRejected, match="all 1 calls"), state.seat():
            pass
        await live.call.end()


async def test_every_leg_counts_as_a_newcomer() -> None:
    async with engine() as own, ServerState(Settings(max_load=1.0), own) as state:
        before = state.admission.expected(state.clock.now())
        live = state.start_call(external_id=None, line=None, protocol="pcm")
        live.call.open_leg(Leg.CALLER, codec="pcm", rate_hz=16_000)
        one = state.admission.expected(state.clock.now())
        live.call.open_leg(Leg.CALLEE, codec="pcm", rate_hz=16_000)
        two = state.admission.expected(state.clock.now())
        assert two - one == pytest.approx(one - before)
        assert one > before
        await live.call.end()


async def test_whoever_has_a_seat_is_not_refused_for_the_load_any_more() -> None:
    async with engine() as own, ServerState(Settings(max_load=0.5), own) as state:
        with state.seat() as seat:
            for tick in range(40):
                full = Load(loop=1.0, encoder=0.0, cores=0.0, late_ms=0.0)
                state.admission.note(full, legs=0, now_s=state.clock.now() + tick)
            with pytest.raises(CallRejected, match="would be busy"), state.seat():
                pass
            seat.leave()
            live = state.start_call(external_id=None, line=None, protocol="pcm")
        await live.call.end()


async def test_a_stream_that_cannot_be_taken_leaves_no_trace() -> None:
    async with engine() as own, ServerState(Settings(max_calls=1), own) as state:
        first = state.start_call(external_id="X", line=None, protocol="pcm", stream_id="s1")
        with pytest.raises(StreamTaken):
            state.start_call(external_id="X", line=None, protocol="pcm", stream_id="s1")
        with pytest.raises(CallRejected, match="all 1 calls"):
            state.start_call(external_id="X", line=None, protocol="pcm", stream_id="s2")
        await first.call.end()
        second = state.start_call(external_id="X", line=None, protocol="pcm", stream_id="s2")
        await second.call.end()


async def test_only_announced_calls_where_that_is_wanted() -> None:
    async with engine() as own, ServerState(Settings(require_announced=True), own) as state:
        for stranger in (None, "X"):
            with pytest.raises(NotAllowed, match="not announced"):
                state.start_call(external_id=stranger, line=None, protocol="pcm")
        assert state.announce("X", None) is not None
        live = state.start_call(external_id="X", line=None, protocol="pcm")
        with pytest.raises(NotAllowed):
            state.start_call(external_id="X", line=None, protocol="pcm")
        await live.call.end()
