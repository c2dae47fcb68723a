"""Twilio Media Streams: what each message means, and what each wrong one is closed with."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from streamtrace.errors import ProtocolViolation
from streamtrace.protocols.ingest import (
    Dtmf,
    Ended,
    IngestEvent,
    LegFormat,
    Marked,
    Media,
    Started,
)
from streamtrace.protocols.twilio import TwilioStream
from streamtrace.values import PCMU, EndReason, Leg
from tests.protocols.twilio_messages import (
    STREAM_SID,
    twilio_connected,
    twilio_media,
    twilio_start,
    twilio_stop,
)


def fed(*messages: str | bytes) -> list[IngestEvent]:
    stream = TwilioStream()
    return [event for message in messages for event in stream.feed(message)]


def close_code(*messages: str | bytes) -> int:
    with pytest.raises(ProtocolViolation) as violation:
        fed(*messages)
    return violation.value.close_code


def message(event: str, **fields: Any) -> str:
    return json.dumps({"event": event, "streamSid": STREAM_SID, **fields})


def test_a_call_from_start_to_stop() -> None:
    events = fed(twilio_connected(), twilio_start(), twilio_media(1), twilio_stop())
    assert events == [
        Started({Leg.CALLER: LegFormat(PCMU, 8_000)}, "CA1", {"line": "sales"}),
        Media(Leg.CALLER, 0, b"\xff" * 160),
        Ended(EndReason.HUNG_UP),
    ]


def test_both_tracks_are_two_legs_each_with_its_own_count() -> None:
    started, *media = fed(
        twilio_start("inbound", "outbound"),
        twilio_media(1),
        twilio_media(1, track="outbound", stamp_ms=100),
        twilio_media(2),
    )
    assert isinstance(started, Started)
    assert list(started.legs) == [Leg.CALLER, Leg.CALLEE]
    placed = [(one.leg, one.start_sample) for one in media if isinstance(one, Media)]
    assert placed == [(Leg.CALLER, 0), (Leg.CALLEE, 800), (Leg.CALLER, 160)]


def test_a_lost_frame_shows_at_the_end_at_the_latest() -> None:
    _, first, second, _ = fed(twilio_start(), twilio_media(1), twilio_media(3), twilio_stop())
    assert isinstance(first, Media)
    assert isinstance(second, Media)
    assert (first.start_sample, second.start_sample) == (0, 320)


def test_numbers_may_be_numbers() -> None:
    media = {"track": "inbound", "chunk": 1, "timestamp": 0, "payload": "/w=="}
    assert Media(Leg.CALLER, 0, b"\xff") in fed(twilio_start(), message("media", media=media))


def test_keys_and_marks() -> None:
    events = fed(
        twilio_start("inbound", "outbound"),
        message("dtmf", dtmf={"track": "outbound_track", "digit": "5"}),
        message("mark", mark={"name": "played"}),
    )
    assert events[1:] == [Dtmf(Leg.CALLEE, "5"), Marked("played")]


def test_events_of_later_versions_are_left_out() -> None:
    assert len(fed(twilio_start(), message("novelty", novelty={}))) == 1


def test_nothing_follows_a_stop() -> None:
    assert len(fed(twilio_start(), twilio_stop(), twilio_start(), b"?", "?")) == 2


def test_a_stop_before_the_start() -> None:
    assert fed(twilio_connected(), twilio_stop()) == [Ended(EndReason.HUNG_UP)]


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        (["{"], 1007),
        (["[" * 60_000], 1007),
        (["[]"], 1007),
        ([b"audio"], 1003),
        ([message("hello")], 4400),
        (["{}"], 4400),
        ([twilio_media(1)], 4400),
        ([twilio_start(), twilio_start()], 4409),
        ([twilio_start(), twilio_connected()], 4409),
        ([twilio_start("sideways")], 4400),
        ([twilio_start(tracks=[])], 4400),
        ([twilio_start(tracks="inbound")], 4400),
        ([twilio_start(mediaFormat={"encoding": "audio/x-l16"})], 4400),
        ([twilio_start(mediaFormat={"sampleRate": 16_000})], 4400),
        ([json.dumps({"event": "start", "start": {}})], 4400),
        ([twilio_start(), "{}"], 1007),
        ([twilio_start(), twilio_media(1, track="outbound")], 1007),
        ([twilio_start(), twilio_media(1, stamp_ms=10**12)], 1007),
        ([twilio_start(), twilio_media(10**12)], 1007),
        ([twilio_start(), twilio_media(1, payload=bytes(8_001))], 1009),
        ([twilio_start(), message("media", media={})], 1007),
        ([twilio_start(), message("media", media={"payload": "%%%%"})], 1007),
        ([twilio_start(), message("media", media={"payload": "é"})], 1007),
        ([twilio_start(), json.dumps({"event": "media", "streamSid": "MZother"})], 1008),
    ],
)
def test_violations(messages: list[str | bytes], code: int) -> None:
    assert close_code(*messages) == code


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
anything = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)
keys = st.sampled_from(
    ["event", "streamSid", "start", "media", "dtmf", "mark", "track", "tracks", "chunk"]
) | st.sampled_from(
    ["timestamp", "payload", "mediaFormat", "encoding", "sampleRate", "customParameters"]
)
names = st.sampled_from(
    ["connected", "start", "media", "dtmf", "mark", "stop", "inbound", "outbound", STREAM_SID, "1"]
)
likely = st.recursive(
    names | anything, lambda inner: st.dictionaries(keys, inner, max_size=8), max_leaves=12
)


@given(st.lists(st.text() | st.binary() | st.dictionaries(keys, likely).map(json.dumps)))
def test_nothing_but_violations_comes_of_junk(messages: list[str | bytes]) -> None:
    codes: set[int] = set()
    for starts in ([], [twilio_start("inbound", "outbound")]):
        stream = TwilioStream()
        for one in starts + messages:
            try:
                stream.feed(one)
            except ProtocolViolation as violation:
                codes.add(violation.close_code)
        stream.flush()
    assert codes <= {1003, 1007, 1008, 1009, 4400, 4409}
