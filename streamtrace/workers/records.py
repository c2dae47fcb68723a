"""What a source gives, as records of the ring and back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from streamtrace.errors import ProtocolViolation, StreamTraceError
from streamtrace.ports import CallBound, LegAudio, LegDtmf, LegOpened, SourceEnded, SourceItem
from streamtrace.values import AudioChunk, EndReason, GapCause, Leg
from streamtrace.workers.ring import Kind, Record, RingTorn

LEGS = tuple(Leg)
CAUSES = tuple(GapCause)


@dataclass(frozen=True, slots=True)
class SourceFailed:
    """The source raised instead of ending; `close_code` only where the far side is to blame."""

    text: str
    close_code: int | None = None

    def error(self) -> StreamTraceError:
        """What to raise on the far side of the ring."""
        if self.close_code is None:
            return StreamTraceError(self.text)
        return ProtocolViolation(self.text, self.close_code)


RingItem: TypeAlias = SourceItem | SourceFailed


def write_item(channel: int, item: RingItem) -> Record:
    """The record of a call's item."""
    if isinstance(item, LegAudio):
        return Record(
            Kind.AUDIO,
            channel,
            item.chunk.pcm.tobytes(),
            LEGS.index(item.leg),
            CAUSES.index(item.gap_cause),
            item.chunk.start_sample,
            item.received_at_s,
        )
    return Record(Kind.CONTROL, channel, json.dumps(_content(item)).encode())


def read_item(record: Record) -> RingItem:
    """The item of a record; raises `RingTorn` where it is none."""
    try:
        if record.kind is Kind.AUDIO:
            chunk = AudioChunk(record.start_sample, np.frombuffer(record.payload, np.float32))
            return LegAudio(LEGS[record.leg], chunk, record.received_at_s, CAUSES[record.cause])
        return _item(json.loads(bytes(record.payload)))
    except (ValueError, KeyError, IndexError, TypeError) as cause:
        raise RingTorn(f"a record that says nothing: {cause!r}") from cause


def _content(item: RingItem) -> dict[str, Any]:
    match item:
        case CallBound(external_id, parameters):
            return {"is": "bound", "external_id": external_id, "parameters": dict(parameters)}
        case LegOpened(leg, codec, rate_hz):
            return {"is": "opened", "leg": leg.value, "codec": codec, "rate_hz": rate_hz}
        case LegDtmf(leg, digit):
            return {"is": "dtmf", "leg": leg.value, "digit": digit}
        case SourceEnded(reason):
            return {"is": "ended", "reason": reason.value}
        case SourceFailed(text, close_code):
            return {"is": "failed", "text": text, "close_code": close_code}
        case LegAudio():
            raise ValueError("audio has a record of its own")


def _item(content: dict[str, Any]) -> RingItem:
    match content["is"]:
        case "bound":
            return CallBound(content["external_id"], content["parameters"])
        case "opened":
            return LegOpened(Leg(content["leg"]), content["codec"], content["rate_hz"])
        case "dtmf":
            return LegDtmf(Leg(content["leg"]), content["digit"])
        case "ended":
            return SourceEnded(EndReason(content["reason"]))
        case "failed":
            return SourceFailed(content["text"], content["close_code"])
        case unknown:
            raise ValueError(f"a control record {unknown!r}")
