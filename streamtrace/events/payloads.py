"""The `data` of each event type on the wire; a version only ever gains fields."""

from __future__ import annotations

from pydantic import BaseModel, Field

from streamtrace.values import (
    EndReason,
    FamilyShare,
    GapCause,
    Latency,
    Leg,
    ModelRef,
    Quality,
    Segment,
    SourceShare,
    Threshold,
    Verdict,
)


class EventData(BaseModel, frozen=True):
    """What the data of every event carries: the platform's own id of the call."""

    external_id: str | None


class CallStartedData(EventData, frozen=True):
    """The call exists."""

    line: str | None
    protocol: str


class CallMediaData(EventData, frozen=True):
    """A leg was opened; `rate_hz` is the rate on the line."""

    leg: Leg
    codec: str
    rate_hz: int


class CallGapData(EventData, frozen=True):
    """Audio of a leg is missing."""

    leg: Leg
    start_ms: int
    end_ms: int
    cause: GapCause


class WindowData(BaseModel, frozen=True):
    """What the last window alone says."""

    spoof_probability: float
    novelty: float


class CallScoreData(EventData, frozen=True):
    """A decision on one leg: of all its speech so far, and in `window` of the last window."""

    leg: Leg
    segment: Segment
    is_final: bool
    verdict: Verdict
    spoof_probability: float
    threshold: Threshold
    attribution: tuple[SourceShare, ...]
    families: tuple[FamilyShare, ...]
    novelty: float
    speech_ms: int
    duration_ms: int
    window: WindowData | None
    first_verdict_ms: int | None
    first_synthetic_ms: int | None
    first_synthetic_speech_ms: int | None
    quality: Quality
    latency_ms: Latency | None
    model: ModelRef
    recovered: bool = Field(
        default=False,
        description="A final made of the last score kept, for the server ended amid the call.",
    )


class CallEndedData(EventData, frozen=True):
    """The call is over."""

    reason: EndReason
    error: str | None


class StreamGapData(EventData, frozen=True):
    """The log keeps these sequence numbers, both included, no longer."""

    first: str = Field(serialization_alias="from", validation_alias="from")
    last: str = Field(serialization_alias="to", validation_alias="to")


class HeartbeatData(EventData, frozen=True):
    """Nothing happened, and the stream is alive."""
