"""What any media-stream dialect says, and the one way to ask a dialect for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeAlias

from streamtrace.values import EndReason, Leg

# Close codes of the wire; those from 4400 on are this server's own.
NOT_THIS_KIND = 1003
BAD_CONTENT = 1007
WRONG_STREAM = 1008
TOO_LARGE = 1009
BAD_START = 4400
SECOND_START = 4409

PCMU = "PCMU"
L16 = "L16"


@dataclass(frozen=True, slots=True)
class LegFormat:
    """How a leg's audio comes; `rate_hz` is the rate on the line."""

    codec: str  # PCMU or L16 (little-endian)
    rate_hz: int


@dataclass(frozen=True, slots=True)
class Started:
    """The stream said what it is; comes once, before everything else."""

    legs: Mapping[Leg, LegFormat]
    external_id: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])


class Media(NamedTuple):
    """Audio of one leg, still encoded; lost audio shows as a jump of `start_sample`.

    A tuple, which costs half of a frozen dataclass: there are fifty a second and leg.
    """

    leg: Leg
    start_sample: int  # at the line's rate, by the media clock
    payload: bytes


@dataclass(frozen=True, slots=True)
class Dtmf:
    """A key was pressed."""

    leg: Leg
    digit: str


@dataclass(frozen=True, slots=True)
class Marked:
    """The far side has played up to a mark."""

    name: str


@dataclass(frozen=True, slots=True)
class Ended:
    """Nothing follows."""

    reason: EndReason


IngestEvent: TypeAlias = Started | Media | Dtmf | Marked | Ended


class MediaStream(Protocol):
    """One connection's dialect: no clock, no socket; every input gives events or a violation."""

    def feed(self, message: str | bytes) -> list[IngestEvent]:
        """Take one whole message; `ProtocolViolation` carries the code to close with."""
        ...

    def flush(self) -> list[IngestEvent]:
        """What was held back for a message that will not come: the connection is over."""
        ...
