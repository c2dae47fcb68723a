"""Runs a leg or a call session in one go, with a stand-in for the encoder and the real tracer."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from streamtrace.events.events import CallScore, Event
from streamtrace.fusion.model import TraceModel
from streamtrace.fusion.tracer import Tracer
from streamtrace.session import LegSession
from streamtrace.values import Answer, AudioChunk, Leg, Step, Traced
from tests import builders
from tests.builders import Frames

ROW = np.zeros(1, np.int64)


class LegTracer:
    """What one leg has said so far."""

    def __init__(self, model: TraceModel) -> None:
        self.width = model.width
        self._tracer = Tracer(model, 1)

    def take(self, step: Step, frames: Frames | None = None) -> Traced:
        """A step, and the frames that the stand-in or the test makes of it."""
        made = frames or builders.encode(step, self.width)
        self._tracer.add(
            ROW,
            np.array([step.index]),
            step.usable[None],
            made.embedding[None],
            made.attention[None],
            made.activity[None],
        )
        return Traced(step.index, self.answer() if step.wanted else None)

    def answer(self) -> Answer:
        """What is known by now."""
        return self._tracer.answer(ROW).each()[0]


def traced(model: TraceModel, chunks: Iterable[AudioChunk]) -> tuple[list[Step], list[Event]]:
    """Every step and every event of a leg, its final score last."""
    leg, steps, events = LegSession(Leg.CALLER, model, "PCMU"), list[Step](), list[Event]()
    tracer = LegTracer(model)
    for chunk in chunks:
        ready, gaps = leg.feed_audio(chunk)
        steps += ready
        events += gaps
        for step in ready:
            events += leg.feed_traced(tracer.take(step))
    for step in leg.finish():
        steps.append(step)
        events += leg.feed_traced(tracer.take(step))
    if leg.owes_answer:
        leg.feed_answer(tracer.answer())
    return steps, [*events, leg.conclude()]


def scores_of(events: Iterable[Event]) -> list[CallScore]:
    """The scores among the events."""
    return [event for event in events if isinstance(event, CallScore)]
