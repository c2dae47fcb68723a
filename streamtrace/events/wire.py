"""Events on the wire: CloudEvents 1.0, one model per type, and the one encoder."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeAlias, assert_never

from pydantic import BaseModel, Field, TypeAdapter

from streamtrace.events.events import (
    CallEnded,
    CallGap,
    CallMedia,
    CallScore,
    CallStarted,
    Event,
)
from streamtrace.events.payloads import (
    CallEndedData,
    CallGapData,
    CallMediaData,
    CallScoreData,
    CallStartedData,
    EventData,
    HeartbeatData,
    StreamGapData,
    WindowData,
)
from streamtrace.values import Segment

CALL_ENDED = "call.ended.v1"
HEARTBEAT = "stream.heartbeat.v1"
STREAM_GAP = "stream.gap.v1"

MOST_SOURCES = 5  # of a score's attribution, besides `unknown`
DIGITS = 6  # of a probability: more is noise, and costs every subscriber


class CloudEvent(BaseModel, frozen=True):
    """The envelope; `sequence` orders the events of one call."""

    specversion: Literal["1.0"] = "1.0"
    id: str
    source: str
    type: str
    subject: str
    time: str = Field(json_schema_extra={"format": "date-time"})
    sequence: str = Field(pattern=r"^\d{20}$")
    datacontenttype: Literal["application/json"] = "application/json"
    data: EventData

    @property
    def number(self) -> int:
        """`sequence` as a number: the cursor behind this event."""
        return int(self.sequence)

    def to_dict(self) -> dict[str, Any]:
        """What goes on the wire, as plain values."""
        return self.model_dump(mode="json", by_alias=True)

    def to_json(self) -> str:
        """What goes on the wire."""
        return self.model_dump_json(by_alias=True)


class CallStartedEvent(CloudEvent, frozen=True):
    """`call.started.v1`."""

    type: Literal["call.started.v1"] = "call.started.v1"
    data: CallStartedData


class CallMediaEvent(CloudEvent, frozen=True):
    """`call.media.v1`."""

    type: Literal["call.media.v1"] = "call.media.v1"
    data: CallMediaData


class CallGapEvent(CloudEvent, frozen=True):
    """`call.gap.v1`."""

    type: Literal["call.gap.v1"] = "call.gap.v1"
    data: CallGapData


class CallScoreEvent(CloudEvent, frozen=True):
    """`call.score.v1`."""

    type: Literal["call.score.v1"] = "call.score.v1"
    data: CallScoreData


class CallEndedEvent(CloudEvent, frozen=True):
    """`call.ended.v1`."""

    type: Literal["call.ended.v1"] = "call.ended.v1"
    data: CallEndedData


class StreamGapEvent(CloudEvent, frozen=True):
    """`stream.gap.v1`: a cursor was too old; the stream goes on behind the gap."""

    type: Literal["stream.gap.v1"] = "stream.gap.v1"
    data: StreamGapData


class HeartbeatEvent(CloudEvent, frozen=True):
    """`stream.heartbeat.v1`: no event itself, it carries the sequence of the last one sent."""

    type: Literal["stream.heartbeat.v1"] = "stream.heartbeat.v1"
    data: HeartbeatData


AnyCloudEvent: TypeAlias = Annotated[
    CallStartedEvent
    | CallMediaEvent
    | CallGapEvent
    | CallScoreEvent
    | CallEndedEvent
    | StreamGapEvent
    | HeartbeatEvent,
    Field(discriminator="type"),
]

EVENT: TypeAdapter[AnyCloudEvent] = TypeAdapter(AnyCloudEvent)
"""Reads events back: `EVENT.validate_json(text)`."""


def cloud_event(
    event: Event,
    *,
    call_id: str,
    external_id: str | None,
    sequence: int,
    time: datetime,
    event_id: str,
) -> CloudEvent:
    """The event in its envelope."""
    at = _envelope(call_id, sequence, time, event_id)
    match event:
        case CallStarted():
            started = CallStartedData(
                external_id=external_id, line=event.line, protocol=event.protocol
            )
            return CallStartedEvent(**at, data=started)
        case CallMedia():
            media = CallMediaData(
                external_id=external_id, leg=event.leg, codec=event.codec, rate_hz=event.rate_hz
            )
            return CallMediaEvent(**at, data=media)
        case CallGap():
            gap = CallGapData(
                external_id=external_id,
                leg=event.leg,
                start_ms=event.start_ms,
                end_ms=event.end_ms,
                cause=event.cause,
            )
            return CallGapEvent(**at, data=gap)
        case CallScore():
            return CallScoreEvent(**at, data=_score_data(event, external_id))
        case CallEnded():
            ended = CallEndedData(external_id=external_id, reason=event.reason, error=event.error)
            return CallEndedEvent(**at, data=ended)
        case _:
            assert_never(event)


def stream_gap(
    *, call_id: str, external_id: str | None, first: int, last: int, time: datetime | str
) -> StreamGapEvent:
    """Says that `first` to `last` are gone; its own sequence is the cursor to go on from."""
    at = _envelope(call_id, last, time, f"{call_id}-gap-{first}-{last}")
    data = {"external_id": external_id, "from": padded(first), "to": padded(last)}
    return StreamGapEvent(**at, data=StreamGapData.model_validate(data))


def recovered_final(
    last: CallScoreEvent, *, sequence: int, time: datetime, event_id: str
) -> CallScoreEvent:
    """The final of a leg of which nothing more is known than its last score, which it says."""
    data = last.data
    end_ms = data.segment.end_ms
    whole = Segment(end_ms - data.duration_ms, end_ms, data.speech_ms)
    told = {
        "is_final": True,
        "segment": whole,
        "window": None,
        "latency_ms": None,
        "recovered": True,
    }
    at = _envelope(last.subject, sequence, time, event_id)
    return CallScoreEvent(**at, data=data.model_copy(update=told))


def heartbeat(
    *, call_id: str, external_id: str | None, sequence: int, time: datetime, event_id: str
) -> HeartbeatEvent:
    """Says that the stream is alive behind `sequence`."""
    at = _envelope(call_id, sequence, time, event_id)
    return HeartbeatEvent(**at, data=HeartbeatData(external_id=external_id))


def _score_data(event: CallScore, external_id: str | None) -> CallScoreData:
    decision, window = event.decision, event.window_decision
    return CallScoreData(
        external_id=external_id,
        leg=event.leg,
        segment=event.segment,
        is_final=event.is_final,
        verdict=decision.verdict,
        spoof_probability=round(decision.spoof_probability, DIGITS),
        threshold=event.threshold,
        attribution=decision.sources_ranked(MOST_SOURCES, digits=DIGITS),
        families=decision.families_ranked(digits=DIGITS),
        novelty=round(decision.novelty, DIGITS),
        speech_ms=decision.speech_ms,
        duration_ms=event.duration_ms,
        window=window
        and WindowData(
            spoof_probability=round(window.spoof_probability, DIGITS),
            novelty=round(window.novelty, DIGITS),
        ),
        first_verdict_ms=event.first_verdict_ms,
        first_synthetic_ms=event.first_synthetic_ms,
        first_synthetic_speech_ms=event.first_synthetic_speech_ms,
        quality=event.quality,
        latency_ms=event.latency,
        model=event.model,
    )


def _envelope(call_id: str, sequence: int, time: datetime | str, event_id: str) -> dict[str, Any]:
    """Everything but type and data."""
    return {
        "id": event_id,
        "source": f"/v1/calls/{call_id}",
        "subject": call_id,
        "time": stamp(time) if isinstance(time, datetime) else time,
        "sequence": padded(sequence),
    }


def padded(sequence: int) -> str:
    """A sequence number as it goes on the wire."""
    return f"{sequence:020d}"


def stamp(time: datetime) -> str:
    """A time as it goes on the wire: in UTC, to the millisecond."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
