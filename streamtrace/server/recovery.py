"""Gives calls their end that a server left without one: killed, it could not say it itself.

A leg's final is the last score of it that was kept, as the decision about the whole leg, and says
so (`recovered`); where none was kept, nothing was heard. Then the call ends as `engine_failed`. So
nobody waits for ever, each leg has exactly one final, and no final claims more than was shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import structlog

from streamtrace.engine import Engine
from streamtrace.events.events import CallEnded, CallScore
from streamtrace.events.log import WireEvent
from streamtrace.events.views import LEGS, CallState
from streamtrace.events.wire import (
    EVENT,
    CallMediaEvent,
    CallScoreEvent,
    CloudEvent,
    cloud_event,
    recovered_final,
)
from streamtrace.fusion.model import TraceModel
from streamtrace.server.live_call import LiveLeg, leg_views
from streamtrace.session import CallSession
from streamtrace.store.rows import Batch, CallRow, EventRow
from streamtrace.store.store import Store
from streamtrace.values import EndReason, Leg

log = structlog.get_logger()

WHY = "the server ended amid the call; this end was written when it started again"


async def end_lost_calls(store: Store, engine: Engine) -> int:
    """Before the first request; how many there were. Raises `StoreFailed`."""
    lost = await store.live_calls()
    for row in lost:
        story, size = await store.story(row.id)
        await store.write(ending(row, story, size, engine.bundle.trace_model, engine.clock.utc()))
    if lost:
        log.warning("calls ended that were cut off when the server was", calls=len(lost))
    return len(lost)


def ending(
    row: CallRow, story: list[WireEvent], size: int, model: TraceModel, now: datetime
) -> Batch:
    """The finals and the end that the call's story lacks."""
    legs: dict[Leg, LiveLeg] = {}
    ended: set[Leg] = set()
    scores: dict[Leg, CallScoreEvent] = {}
    for kept in story:
        match event := EVENT.validate_json(kept.text):
            case CallMediaEvent(data=data):
                legs[data.leg] = LiveLeg(data.codec, data.rate_hz)
            case CallScoreEvent(data=data):
                legs[data.leg].decision = data
                scores[data.leg] = event
                if data.is_final:
                    ended.add(data.leg)
            case _:
                pass
    said: list[CloudEvent] = []
    sequence = story[-1].number if story else 0
    for leg, heard in legs.items():
        if leg not in ended:
            sequence += 1
            final = _final(row, leg, heard, scores.get(leg), sequence, model, now)
            legs[leg].decision = final.data
            said.append(final)
    end = CallEnded(EndReason.ENGINE_FAILED, WHY)
    said.append(_stamped(row, end, sequence + 1, now))
    events = [WireEvent.of(event) for event in said]
    closed = CallRow(
        id=row.id,
        external_id=row.external_id,
        line=row.line,
        protocol=row.protocol,
        state=CallState.ENDED.value,
        started=row.started,
        ended=said[-1].time,
        reason=EndReason.ENGINE_FAILED.value,
        last_sequence=said[-1].number,
        bytes=size + sum(len(event.text) for event in events),
        legs=LEGS.dump_json(leg_views(legs)).decode(),
    )
    return Batch([closed], [EventRow(row.id, event) for event in events])


def _final(
    row: CallRow,
    leg: Leg,
    heard: LiveLeg,
    last: CallScoreEvent | None,
    sequence: int,
    model: TraceModel,
    now: datetime,
) -> CallScoreEvent:
    if last is None:
        last = next(_unheard(row, leg, heard, sequence, model, now))
    return recovered_final(last, sequence=sequence, time=now, event_id=f"{row.id}-{sequence}")


def _unheard(
    row: CallRow, leg: Leg, heard: LiveLeg, sequence: int, model: TraceModel, now: datetime
) -> Iterator[CallScoreEvent]:
    """What is known of a leg before its first step."""
    session = CallSession(model)
    session.open_leg(leg, heard.codec, heard.rate_hz)
    for event in session.end(EndReason.ENGINE_FAILED):
        if isinstance(event, CallScore):
            stamped = _stamped(row, event, sequence, now)
            assert isinstance(stamped, CallScoreEvent)
            yield stamped


def _stamped(
    row: CallRow, event: CallEnded | CallScore, sequence: int, now: datetime
) -> CloudEvent:
    return cloud_event(
        event,
        call_id=row.id,
        external_id=row.external_id,
        sequence=sequence,
        time=now,
        event_id=f"{row.id}-{sequence}",
    )
