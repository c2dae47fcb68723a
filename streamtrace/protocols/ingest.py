"""What any media-stream dialect says, and the one way to ask a dialect for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeAlias

from streamtrace.values import EndReason, GapCause, Leg

# Close codes of the wire; those from 4400 on are this server's own.
NOT_THIS_KIND = 1003
BAD_CONTENT = 1007
WRONG_STREAM = 1008
TOO_LARGE = 1009
TRY_LATER = 1013
BAD_START = 4400
SECOND_START = 4409
TOO_MUCH = 4429


@dataclass(frozen=True, slots=True)
class LegFormat:
    """How a leg's audio comes; `rate_hz` is the rate on the line."""

    codec: str  # a key of `audio.codecs.CODECS`
    rate_hz: int


@dataclass(frozen=True, slots=True)
class Started:
    """The stream said what it is; comes once, before everything else."""

    legs: Mapping[Leg, LegFormat]
    external_id: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])
    stream_id: str | None = None  # the platform's own, which no other stream of it has
    legs_come_late: bool = False  # each is there with its first audio: not all need come
    protocol: str | None = None  # what it turned out to be, where its door takes several


@dataclass(frozen=True, slots=True)
class Opened:
    """A leg that `Started` left open: only its first audio shows how it comes."""

    leg: Leg
    form: LegFormat


class Media(NamedTuple):
    """Audio of one leg, still encoded; lost audio shows as a jump of `start_sample`.

    A tuple, which costs half of a frozen dataclass: there are fifty a second and leg.
    """

    leg: Leg
    start_sample: int  # at the line's rate, by the media clock
    payload: bytes
    gap_cause: GapCause = GapCause.LOST  # of what may be missing in front of it


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
class Alive:
    """The far side is there, though it has nothing to be heard."""


@dataclass(frozen=True, slots=True)
class Quiet:
    """From now on the far side sends nothing by its own word, and is not given up; or no longer."""

    is_on: bool


@dataclass(frozen=True, slots=True)
class Reply:
    """A text that the far side is owed, in the order of the events."""

    text: str


@dataclass(frozen=True, slots=True)
class Ended:
    """Nothing follows."""

    reason: EndReason


IngestEvent: TypeAlias = Started | Opened | Media | Dtmf | Marked | Alive | Quiet | Reply | Ended


class MediaStream(Protocol):
    """One connection's dialect: no clock, no socket; every input gives events or a violation.

    Dialects derive from it, for most have nothing to say.
    """

    def feed(self, message: str | bytes) -> Iterable[IngestEvent]:
        """Take one whole message; `ProtocolViolation` carries the code to close with."""
        ...

    def flush(self) -> list[IngestEvent]:
        """What was held back for a message that will not come: the connection is over."""
        ...

    tells: bool = False  # whether the far side is told of scores, by `report`

    def report(self, event: str) -> str | None:
        """How it is told of a score or the call's end, given as a CloudEvent; None: not at all."""
        return event

    def farewell(self, reason: EndReason, problem: str | None) -> list[str]:
        """Its last texts, before the socket is closed; `problem` is what failed, if anything did.

        `SOURCE_LOST` with a problem: the server cannot take the call, or take it further.
        """
        return []

    @property
    def messages_read(self) -> int | None:
        """So far, where what is fed is cut anyhow, as on TCP; None: each is one message."""
        return None

    may_wait_s: float = 0.0  # how much later audio may be heard, together with other calls'
    audio_is_text: bool = False  # messages of the other kind do not wait

    # For protocols that end by messages, as AudioHook does:

    is_call: bool = True  # False: what never starts is no call either, so none is made of it
    answers_within_s: float | None = None  # from the far side's end to `farewell`, ready or not
    parting_s: float = 0.0  # what it then has to go by itself; until then `feed` and `Reply` go on
