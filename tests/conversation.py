"""Runs a leg or a call session in one go, with a stand-in for the encoder."""

from __future__ import annotations

from collections.abc import Iterable

from streamtrace.events.events import CallScore, Event
from streamtrace.fusion.model import TraceModel
from streamtrace.session import LegSession
from streamtrace.values import AudioChunk, Leg, Step
from tests import builders


def traced(model: TraceModel, chunks: Iterable[AudioChunk]) -> tuple[list[Step], list[Event]]:
    """Every step and every event of a leg, its final score last."""
    leg, steps, events = LegSession(Leg.CALLER, model, "PCMU"), list[Step](), list[Event]()
    for chunk in chunks:
        ready, gaps = leg.feed_audio(chunk)
        steps += ready
        events += gaps
        for step in ready:
            events += leg.feed_frames(builders.encode(step, model.width))
    for step in leg.finish():
        steps.append(step)
        events += leg.feed_frames(builders.encode(step, model.width))
    return steps, [*events, leg.conclude()]


def scores_of(events: Iterable[Event]) -> list[CallScore]:
    """The scores among the events."""
    return [event for event in events if isinstance(event, CallScore)]
