"""Stamped events for tests of sinks."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from functools import cache

from streamtrace.events.events import CallEnded, CallScore, CallStarted, Event
from streamtrace.events.wire import CloudEvent, cloud_event
from streamtrace.session import CallSession
from streamtrace.values import EndReason, Leg
from tests.builders import trace_model


@cache
def _score(leg: Leg) -> CallScore:
    session = CallSession(trace_model())
    session.open_leg(leg, "L16", 16_000)
    score = session.end(EndReason.HUNG_UP)[0]
    assert isinstance(score, CallScore)
    return score


def stamped(event: Event, number: int) -> CloudEvent:
    return cloud_event(
        event,
        call_id="call_1",
        external_id="CA1",
        sequence=number,
        time=datetime(2026, 1, 2, tzinfo=UTC),
        event_id=f"call_1-{number}",
    )


def started(number: int = 1) -> CloudEvent:
    return stamped(CallStarted("CA1", None, "pcm"), number)


def partial(number: int, leg: Leg = Leg.CALLER) -> CloudEvent:
    return stamped(dataclasses.replace(_score(leg), is_final=False), number)


def final(number: int, leg: Leg = Leg.CALLER) -> CloudEvent:
    return stamped(_score(leg), number)


def ended(number: int) -> CloudEvent:
    return stamped(CallEnded(EndReason.HUNG_UP), number)
