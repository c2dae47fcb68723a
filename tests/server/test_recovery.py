"""Calls that a killed server left without an end get one that claims no more than was shown."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from streamtrace.events.events import CallMedia
from streamtrace.events.log import WireEvent
from streamtrace.events.wire import EVENT, CallEndedEvent, CallScoreEvent
from streamtrace.server.recovery import ending
from streamtrace.store.rows import Batch
from streamtrace.values import EndReason, Leg
from tests.builders import trace_model
from tests.sinks.events import final, partial, stamped, started
from tests.store.databases import row, wire

NOW = datetime(2026, 1, 2, 3, tzinfo=UTC)


def media(number: int, leg: Leg) -> WireEvent:
    return wire(stamped(CallMedia(leg, "PCMU", 8_000), number))


def ended_with(*story: WireEvent) -> tuple[Batch, list[CallScoreEvent], CallEndedEvent]:
    batch = ending(row(), list(story), 5_000, trace_model(), NOW)
    *finals, end = [EVENT.validate_json(one.event.text) for one in batch.events]
    assert isinstance(end, CallEndedEvent)
    assert all(isinstance(one, CallScoreEvent) for one in finals)
    return batch, finals, end  # type: ignore[return-value]


def test_each_leg_has_the_final_that_it_lacks() -> None:
    score = partial(9)
    assert isinstance(score, CallScoreEvent)
    batch, finals, end = ended_with(
        wire(started()),
        media(2, Leg.CALLER),
        media(3, Leg.CALLEE),
        wire(score),
    )
    caller, callee = finals
    assert (caller.data.leg, callee.data.leg) == (Leg.CALLER, Leg.CALLEE)
    assert [event.number for event in (*finals, end)] == [10, 11, 12]
    assert [event.id for event in finals] == ["call_1-10", "call_1-11"]
    for one in finals:
        assert one.data.is_final
        assert one.data.recovered
        assert one.data.latency_ms is None
    assert caller.data.verdict == score.data.verdict
    assert caller.data.attribution == score.data.attribution
    assert caller.data.segment.speech_ms == score.data.speech_ms
    assert (callee.data.verdict, callee.data.quality.codec) == ("no_speech", "PCMU")
    assert end.data.reason is EndReason.ENGINE_FAILED
    assert "started again" in str(end.data.error)
    [call] = batch.calls
    assert (call.state, call.reason, call.last_sequence) == ("ended", "engine_failed", 12)
    assert call.ended == "2026-01-02T03:00:00.000Z"
    assert call.bytes == 5_000 + sum(len(one.event.text) for one in batch.events)
    assert [leg["decision"]["recovered"] for leg in json.loads(call.legs)] == [True, True]


def test_a_leg_that_had_its_final_gets_no_other() -> None:
    _, finals, end = ended_with(
        wire(started()), media(2, Leg.CALLER), media(3, Leg.CALLEE), wire(final(4))
    )
    assert [one.data.leg for one in finals] == [Leg.CALLEE]
    assert end.number == 6


def test_a_call_without_a_leg_just_ends() -> None:
    _, finals, end = ended_with(wire(started()))
    assert finals == []
    assert end.number == 2
