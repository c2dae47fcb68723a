"""What happens in a call, as frozen values; `Event` is their closed union."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from streamtrace.values import (
    Decision,
    EndReason,
    GapCause,
    Latency,
    Leg,
    ModelRef,
    Quality,
    Segment,
    Threshold,
)


@dataclass(frozen=True, slots=True)
class CallStarted:
    """The call exists; always the first event."""

    external_id: str | None
    line: str | None
    protocol: str


@dataclass(frozen=True, slots=True)
class CallMedia:
    """A leg was opened; `rate_hz` is the rate on the line."""

    leg: Leg
    codec: str
    rate_hz: int


@dataclass(frozen=True, slots=True)
class CallGap:
    """Audio of a leg is missing between these call times."""

    leg: Leg
    start_ms: int
    end_ms: int
    cause: GapCause


@dataclass(frozen=True, slots=True, eq=False)
class CallScore:
    """A decision on one leg; exactly one per leg is final.

    The times of the first verdicts are call times, None as long as none was reached.
    """

    leg: Leg
    segment: Segment  # the window looked at; of the final score the whole leg
    is_final: bool
    decision: Decision  # from all speech of the leg so far
    window_decision: Decision | None  # from the last window alone; None without a step so far
    first_verdict_ms: int | None
    first_synthetic_ms: int | None
    first_synthetic_speech_ms: int | None
    duration_ms: int  # of the leg so far, gaps included
    quality: Quality
    model: ModelRef
    threshold: Threshold
    latency: Latency | None = None  # only the engine, which has a clock, can fill it in


@dataclass(frozen=True, slots=True)
class CallEnded:
    """Always the last event; `error` says in one line what went wrong, if anything did."""

    reason: EndReason
    error: str | None = None


Event: TypeAlias = CallStarted | CallMedia | CallGap | CallScore | CallEnded
