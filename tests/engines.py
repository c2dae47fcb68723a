"""Small engines for tests, and what calls through them said, in short."""

from __future__ import annotations

import numpy as np

from streamtrace.engine import Engine
from streamtrace.events.wire import (
    CallScoreEvent,
    CloudEvent,
)
from streamtrace.values import Float32s
from tests.bundles import tiny_model
from tests.fakes import FakeClock


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
