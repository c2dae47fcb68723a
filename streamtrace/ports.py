"""What the engine asks of its surroundings: time, audio coming in, events going out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol, TypeAlias, TypeVar

from streamtrace.values import AudioChunk, EndReason, GapCause, Leg

# The sink's event type is a parameter because the wire form of events lies above this module.
EventT = TypeVar("EventT", contravariant=True)


class Clock(Protocol):
    """Time; tests turn it by hand."""

    def now(self) -> float:
        """Monotonic seconds, for durations only."""
        ...

    def utc(self) -> datetime:
        """The wall time, aware and in UTC, for what people read only."""
        ...


class EventSink(Protocol[EventT]):
    """Takes what a call says; `EventSink[CloudEvent]` is what the engine publishes to."""

    def publish(self, event: EventT) -> None:
        """Take the event at once; a sink that could wait keeps a bounded queue of its own."""
        ...


@dataclass(frozen=True, slots=True)
class CallBound:
    """The far side said which call this is; `parameters` is what the integrator passed along."""

    external_id: str | None
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class LegOpened:
    """A leg's audio is about to come; `rate_hz` is the rate on the line."""

    leg: Leg
    codec: str
    rate_hz: int


class LegAudio(NamedTuple):
    """Audio of one leg; `received_at_s` is the clock's `now()` when its last sample came in.

    A tuple, which costs half of a frozen dataclass: there are four a second and leg at least.
    """

    leg: Leg
    chunk: AudioChunk
    received_at_s: float
    gap_cause: GapCause = GapCause.LOST  # of what may be missing in front of the chunk


@dataclass(frozen=True, slots=True)
class LegDtmf:
    """A key was pressed."""

    leg: Leg
    digit: str


@dataclass(frozen=True, slots=True)
class SourceEnded:
    """Nothing follows."""

    reason: EndReason


SourceItem: TypeAlias = CallBound | LegOpened | LegAudio | LegDtmf | SourceEnded


class AudioSource(Protocol):
    """One call's way in; whatever its protocol, it gives these items in order."""

    def __aiter__(self) -> AsyncIterator[SourceItem]:
        """`SourceEnded` comes last, or an error is raised; the source holds a bounded backlog."""
        ...
