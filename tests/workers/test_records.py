"""Items of a source survive the ring; what is none is told as a torn ring."""

from __future__ import annotations

import numpy as np
import pytest

from streamtrace.errors import ProtocolViolation, StreamTraceError
from streamtrace.ports import CallBound, LegAudio, LegDtmf, LegOpened, SourceEnded
from streamtrace.values import AudioChunk, EndReason, GapCause, Leg
from streamtrace.workers.records import RingItem, SourceFailed, read_item, write_item
from streamtrace.workers.ring import Kind, Record, RingTorn
from tests.builders import tone


@pytest.mark.parametrize(
    "item",
    [
        CallBound("CA-1", {"line": "front desk", "note": "ünïcode"}),
        CallBound(None),
        LegOpened(Leg.CALLEE, "PCMU", 8_000),
        LegDtmf(Leg.CALLER, "#"),
        SourceEnded(EndReason.IDLE_TIMEOUT),
        SourceFailed("a second `start` on this stream", 4409),
        SourceFailed("the server failed here"),
    ],
)
def test_what_is_said_comes_back(item: RingItem) -> None:
    record = write_item(7, item)
    assert (record.channel, record.kind) == (7, Kind.CONTROL)
    assert read_item(record) == item


@pytest.mark.parametrize("cause", list(GapCause))
def test_audio_comes_back_bit_by_bit(cause: GapCause) -> None:
    audio = LegAudio(Leg.CALLEE, AudioChunk(-12, tone(333)), 12.5, cause)
    back = read_item(write_item(1, audio))
    assert isinstance(back, LegAudio)
    assert (back.leg, back.gap_cause, back.received_at_s) == (Leg.CALLEE, cause, 12.5)
    assert back.chunk.start_sample == -12
    assert np.array_equal(back.chunk.pcm, audio.chunk.pcm)


@pytest.mark.parametrize(
    "record",
    [
        Record(Kind.AUDIO, 1, b"abc"),
        Record(Kind.AUDIO, 1, b"abcd", leg=9),
        Record(Kind.CONTROL, 1, b"{"),
        Record(Kind.CONTROL, 1, b"[]"),
        Record(Kind.CONTROL, 1, b'{"is": "unheard of"}'),
        Record(Kind.CONTROL, 1, b'{"is": "opened", "leg": "nobody", "codec": "x", "rate_hz": 1}'),
    ],
)
def test_what_is_no_item(record: Record) -> None:
    with pytest.raises(RingTorn):
        read_item(record)


def test_a_violation_keeps_its_close_code() -> None:
    violation = SourceFailed("bad", 4400).error()
    assert isinstance(violation, ProtocolViolation)
    assert violation.close_code == 4400
    failure = SourceFailed("worse").error()
    assert type(failure) is StreamTraceError
