"""What the REST interface and the live feed say about calls."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, Field, TypeAdapter

from streamtrace.events.wire import AnyCloudEvent, CallScoreData
from streamtrace.values import EndReason, Leg


class CallState(StrEnum):
    """How far a call has come."""

    ANNOUNCED = "announced"
    LIVE = "live"
    ENDED = "ended"


class LegView(BaseModel, frozen=True):
    """A leg and the latest decision on it."""

    leg: Leg
    codec: str
    rate_hz: int
    decision: CallScoreData | None


LEGS: TypeAdapter[list[LegView]] = TypeAdapter(list[LegView])


class CallView(BaseModel, frozen=True):
    """A call; its whole story is in its events."""

    id: str
    external_id: str | None
    line: str | None
    protocol: str
    state: CallState
    started: str = Field(description="When it came, or was announced.")
    ended: str | None
    reason: EndReason | None
    legs: list[LegView]


class AnnouncedView(CallView, frozen=True):
    """A call that is expected."""

    expires: str = Field(description="When it is no longer expected.")
    audiosocket_port: int | None = Field(description="Where AudioSocket is taken; none: nowhere.")


class CallPage(BaseModel, frozen=True):
    """Calls, newest first."""

    calls: list[CallView]
    next: str | None = Field(None, description="Ask with `after` this for older ones.")


class EventPage(BaseModel, frozen=True):
    """Events of a call, oldest first."""

    events: list[AnyCloudEvent]
    next: str | None = Field(None, description="Ask with `after` this for newer ones.")


def _printable(given: str) -> str:
    if not given.isprintable():  # as every other way in asks for it
        raise ValueError("want printable characters")
    return given


Name: TypeAlias = Annotated[str, Field(min_length=1, max_length=256), AfterValidator(_printable)]


class Announcement(BaseModel, frozen=True, extra="forbid"):
    """A call that is about to come; the ingest stream with this external id will be it."""

    external_id: Name
    line: Name | None = None
    protocol: Literal["audiosocket"] | None = Field(
        None, description="The only one it may come by; none: any."
    )


class CallsFrame(BaseModel, frozen=True):
    """One frame of the feed of all calls: those that changed since the last."""

    calls: list[CallView]


class FeedHeartbeat(BaseModel, frozen=True):
    """No call changed, and the feed is alive."""

    type: str = "stream.heartbeat.v1"
    time: str
