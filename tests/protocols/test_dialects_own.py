"""What a single one of Twilio's relatives has to itself."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from streamtrace.errors import ProtocolViolation
from streamtrace.protocols.ingest import LegFormat, Media, Started
from streamtrace.protocols.signalwire import SignalWireStream
from streamtrace.protocols.telnyx import TelnyxStream
from streamtrace.protocols.tracked import SAMPLES_IN
from streamtrace.values import G722, L16, PCMA, PCMU, Leg
from tests.protocols.dialect import Dialect, fed, heard
from tests.protocols.dialects import EXOTEL, PLIVO, SIGNALWIRE, TELNYX


@pytest.mark.parametrize(
    ("dialect", "told", "form"),
    [
        (SIGNALWIRE, {"encoding": "audio/x-mulaw", "sampleRate": 8000}, LegFormat(PCMU, 8_000)),
        (SIGNALWIRE, {"encoding": "audio/x-l16", "sampleRate": 16000}, LegFormat(L16, 16_000)),
        (SIGNALWIRE, {"encoding": "audio/x-G722", "sampleRate": 8000}, LegFormat(G722, 16_000)),
        (TELNYX, {"encoding": "PCMA"}, LegFormat(PCMA, 8_000)),
        (TELNYX, {"encoding": "G722", "sample_rate": 16_000}, LegFormat(G722, 16_000)),
        (TELNYX, {"encoding": "L16", "sample_rate": 16_000}, LegFormat(L16, 16_000)),
        (PLIVO, {"encoding": "audio/x-l16", "sampleRate": 16_000}, LegFormat(L16, 16_000)),
        (PLIVO, {"encoding": "audio/x-mulaw", "sampleRate": 8_000}, LegFormat(PCMU, 8_000)),
        (EXOTEL, {"encoding": "base64", "sample_rate": 8_000}, LegFormat(L16, 8_000)),
        (EXOTEL, {"sample_rate": "24000"}, LegFormat(L16, 24_000)),
    ],
)
def test_codecs_and_rates(dialect: Dialect, told: dict[str, Any], form: LegFormat) -> None:
    [started] = fed(dialect, *dialect.formatted(**told))
    assert isinstance(started, Started)
    assert started.legs[Leg.CALLER] == form


def test_telnyx_takes_what_the_server_can_hear() -> None:
    opening = TELNYX.formatted(encoding="OPUS", sample_rate=16_000)
    with pytest.raises(ProtocolViolation, match=r"want pcmu 8000, pcma 8000, g722"):
        fed(TELNYX, *opening)
    stream = TelnyxStream({**SAMPLES_IN, "OPUS": lambda payload: 960})
    [started] = [event for message in opening for event in stream.feed(message)]
    assert isinstance(started, Started)
    assert started.legs[Leg.CALLER] == LegFormat("OPUS", 48_000)
    frames = [stream.feed(TELNYX.frame(number, payload="AAAA"))[0] for number in (1, 2)]
    assert [one.start_sample for one in frames if isinstance(one, Media)] == [0, 960]


def test_signalwire_inside_a_raw_event() -> None:
    """As its reference shows it: the stream's id outside, the message within."""

    def wrapped(text: str) -> str:
        message = json.loads(text)
        raw = {key: value for key, value in message.items() if key != "streamSid"}
        outer = {"timestamp": "2026-09-26T16:25:04.794Z", "eventType": message["event"]}
        return json.dumps(
            outer | {"direction": "inbound", "streamSid": SIGNALWIRE.stream_id, "rawEvent": raw}
        )

    said = [*SIGNALWIRE.opening(), SIGNALWIRE.frame(1), *SIGNALWIRE.goodbye()]
    stream = SignalWireStream()
    got = [event for text in said for event in stream.feed(wrapped(text))]
    assert got == fed(SIGNALWIRE, *said)


def test_signalwire_may_call_two_tracks_two_channels() -> None:
    both = ["inbound", "outbound"]
    form = SIGNALWIRE.start["start"]["mediaFormat"] | {"channels": 2}
    [started] = fed(SIGNALWIRE, *SIGNALWIRE.opening(tracks=both, mediaFormat=form))
    assert isinstance(started, Started)
    assert len(started.legs) == 2


@pytest.mark.parametrize(
    ("headers", "kept"),
    [
        ("a=1,b=2", {"a": "1", "b": "2"}),
        (" a = 1 ; b=x=y", {"a": "1", "b": "x=y"}),
        ('{"a": "1", "n": 2}', {"a": "1"}),
        ({"a": "1"}, {"a": "1"}),
        ("{}", {}),
        ("{", {}),
        ("nothing", {}),
        ("a=" + "x" * 5_000, {}),
        (7, {}),
        (None, {}),
    ],
)
def test_plivo_s_extra_headers(headers: object, kept: dict[str, str]) -> None:
    [started] = fed(PLIVO, json.dumps(PLIVO.start | {"extra_headers": headers}))
    assert isinstance(started, Started)
    assert started.parameters == kept


def test_half_a_sample_shifts_nothing() -> None:
    odd = base64.b64encode(bytes(321)).decode()
    places = heard(PLIVO, PLIVO.frame(1), PLIVO.frame(2, payload=odd), PLIVO.frame(3))
    assert [(place, len(payload)) for _, place, payload in places] == [
        (0, 320),
        (160, 320),
        (320, 320),
    ]
