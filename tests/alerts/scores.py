"""A call's events as a session would tell them, from one window log-odds a hop."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from streamtrace.events.events import (
    CallEnded,
    CallMedia,
    CallScore,
    CallStarted,
    Event,
)
from streamtrace.values import (
    Decision,
    EndReason,
    Leg,
    ModelRef,
    Quality,
    Segment,
    Threshold,
    Verdict,
)
from tests import builders

HOP_MS, WINDOW_MS = 480, 3_840
CATALOG = builders.catalog()


def decision(log_odds: float, speech_ms: int, source: int = 0) -> Decision:
    attribution = np.full(len(CATALOG.sources) + 1, 0.05, np.float32)
    attribution[source] = 0.75
    families = np.full(len(CATALOG.families) + 1, 1 / (len(CATALOG.families) + 1), np.float32)
    return Decision(
        verdict=Verdict.INCONCLUSIVE,
        spoof_probability=1 / (1 + math.exp(-log_odds)),
        attribution=attribution,
        families=families,
        novelty=0.5,
        speech_ms=speech_ms,
        catalog=CATALOG,
    )


def score(
    hop: int,
    log_odds: float,
    *,
    leg: Leg = Leg.CALLER,
    speech: float = 0.9,
    source: int = 0,
    degraded: bool = False,
    loss_ratio: float = 0.0,
    is_final: bool = False,
) -> CallScore:
    """The score behind hop 0, 1, ...: its window says `log_odds`, and so does all speech."""
    end = (hop + 1) * HOP_MS
    start = max(0, end - WINDOW_MS)
    in_window = round(speech * (end - start))
    return CallScore(
        leg=leg,
        segment=Segment(start, end, in_window),
        is_final=is_final,
        decision=decision(log_odds, round(speech * end), source),
        window_decision=decision(log_odds, in_window, source),
        first_verdict_ms=None,
        first_synthetic_ms=None,
        first_synthetic_speech_ms=None,
        duration_ms=end,
        quality=Quality("PCMU", loss_ratio, 0, degraded),
        model=ModelRef("test", "0" * 64),
        threshold=Threshold("test@1", 0.8),
    )


def call(
    log_odds: Sequence[float],
    *,
    line: str | None = None,
    leg: Leg = Leg.CALLER,
    rate_hz: int = 8_000,
    **given: float,
) -> list[Event]:
    """A whole call with one leg, a decision a hop."""
    return [
        CallStarted("CA1", line, "twilio"),
        CallMedia(leg, "PCMU", rate_hz),
        *(score(hop, x, leg=leg, **given) for hop, x in enumerate(log_odds)),  # type: ignore[arg-type]
        CallEnded(EndReason.HUNG_UP),
    ]
