"""chan_websocket: both forms of control, every format, and what Asterisk never says."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings, strategies as st

from streamtrace.errors import ProtocolViolation
from streamtrace.protocols.asterisk import AsteriskStream
from streamtrace.protocols.ingest import Dtmf, IngestEvent, LegFormat, Media, Started
from streamtrace.values import Leg
from tests.protocols.asterisk_messages import OLD, PLAIN, START

CODECS = {
    "PCMU": len,
    "PCMA": len,
    "L16": lambda payload: len(payload) // 2,
    "G722": lambda payload: 2 * len(payload),
}


def read(*messages: str | bytes, **query: str) -> list[IngestEvent]:
    stream = AsteriskStream(CODECS, query)
    return [event for message in messages for event in stream.feed(message)]


def started(*messages: str | bytes, **query: str) -> Started:
    first = read(*messages, **query)[0]
    assert isinstance(first, Started)
    return first


ULAW = {Leg.CALLER: LegFormat("PCMU", 8_000)}


def test_both_forms_say_the_same() -> None:
    assert started(START) == Started(ULAW, "1795225583.7", {"tenant": "acme"})
    assert started(PLAIN) == Started(ULAW, "1795225583.7", {})
    assert started(OLD) == Started(ULAW, "WebSocket/connectionid", {})


def test_variables_go_over_the_query_which_may_be_an_earlier_call_s() -> None:
    named = START.replace('"tenant"', '"external_id":"1795.1","tenant"')
    query = {"tenant": "other", "line": "front", "external_id": "1795.0"}
    assert started(START, **query) == Started(
        ULAW, "1795225583.7", {"tenant": "acme", "line": "front"}
    )
    assert started(named, **query) == Started(ULAW, "1795.1", {"tenant": "acme", "line": "front"})


def test_inherited_variables_as_asterisk_tells_them() -> None:
    told = {
        "external_id": "1795645769.41",
        "GOSUB_RETVAL": "",
        "DIALEDPEERNUMBER": "conn1/c(ulaw)f(json)v(tenant=acme)",
        "MEDIA_WEBSOCKET_OPTIMAL_FRAME_SIZE": "160",
        "__line": "sales desk",
    }
    got = started(json.dumps(json.loads(START) | {"channel_variables": told}))
    assert got.external_id == "1795645769.41"
    assert got.parameters["line"] == "sales desk"


@pytest.mark.parametrize(
    ("name", "codec", "rate_hz", "message_bytes", "samples"),
    [
        ("ulaw", "PCMU", 8_000, 160, 160),
        ("alaw", "PCMA", 8_000, 160, 160),
        ("slin", "L16", 8_000, 320, 160),
        ("slin12", "L16", 12_000, 480, 240),
        ("slin16", "L16", 16_000, 640, 320),
        ("slin24", "L16", 24_000, 960, 480),
        ("slin32", "L16", 32_000, 1_280, 640),
        ("slin44", "L16", 44_100, 1_764, 882),
        ("slin48", "L16", 48_000, 1_920, 960),
        ("slin96", "L16", 96_000, 3_840, 1_920),
        ("slin192", "L16", 192_000, 7_680, 3_840),
        ("g722", "G722", 16_000, 160, 320),
    ],
)
def test_formats(name: str, codec: str, rate_hz: int, message_bytes: int, samples: int) -> None:
    payload = bytes(message_bytes)
    first, *media = read(START.replace("ulaw", name), payload, b"", payload)
    assert isinstance(first, Started)
    assert first.legs == {Leg.CALLER: LegFormat(codec, rate_hz)}
    assert media == [Media(Leg.CALLER, 0, payload), Media(Leg.CALLER, samples, payload)]


@pytest.mark.parametrize("name", ["gsm", "opus", "", "ULAW", "u" * 200])
def test_formats_that_cannot_be_heard_are_told_with_those_that_can(name: str) -> None:
    with pytest.raises(ProtocolViolation, match=r"ulaw, alaw, slin, .*slin192, g722") as refused:
        read(START.replace('"ulaw"', json.dumps(name)))
    assert refused.value.close_code == 4400
    assert "opus" not in str(refused.value).partition("want")[2]
    assert len(str(refused.value)) <= 150


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ('{"event":"DTMF_END","channel_id":"1795225583.7","digit":"5"}', [Dtmf(Leg.CALLER, "5")]),
        ("DTMF_END digit:# channel_id:1795225583.7", [Dtmf(Leg.CALLER, "#")]),
        ("DTMF_END digit:12", []),
        ("MEDIA_XOFF", []),
        ('{"event":"MEDIA_XON","channel_id":"1795225583.7"}', []),
        (
            "STATUS channel_id:1795225583.7 queue_length:43 xon_level:800 xoff_level:900"
            " queue_full:false bulk_media:true media_paused:false",
            [],
        ),
        ("MEDIA_BUFFERING_COMPLETED some-id", []),
        ("QUEUE_DRAINED", []),
        ("ERROR channel_id:1795225583.7 error_text:Command X not supported", []),
        ("SOMETHING_NEW a:b:c d", []),
    ],
)
def test_what_asterisk_tells_meanwhile(message: str, said: list[IngestEvent]) -> None:
    for start in (START, PLAIN):
        assert read(start, message, bytes(160))[1:] == [*said, Media(Leg.CALLER, 0, bytes(160))]


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        ([bytes(160)], 4400),
        (["MEDIA_XON"], 4400),
        (["{}"], 4400),
        (["{"], 1007),
        ([""], 4400),
        ([PLAIN.replace("channel:", "c:").replace("channel_id:", "i:")], 4400),
        ([START, START], 4409),
        ([START, PLAIN], 4409),
        ([START, "[1]"], None),  # plain words that nobody knows
        ([START, "{}"], 1007),
        ([START, '{"event":"DTMF_END","channel_id":"2.2","digit":"5"}'], 1008),
        ([START, "DTMF_END digit:1 channel_id:9"], 1008),
        ([START, bytes(8_001)], 1009),
        ([START.replace("ulaw", "slin16"), b"odd"], 1007),
    ],
)
def test_violations(messages: list[str | bytes], code: int | None) -> None:
    if code is None:
        read(*messages)
        return
    with pytest.raises(ProtocolViolation) as refused:
        read(*messages)
    assert refused.value.close_code == code


@pytest.mark.laws
@settings(max_examples=80, deadline=None)
@given(
    start=st.sampled_from([START, PLAIN, OLD, None]),
    messages=st.lists(
        st.one_of(
            st.text(max_size=40),
            st.binary(max_size=400),
            st.builds(
                json.dumps,
                st.dictionaries(
                    st.sampled_from(["event", "channel_id", "digit", "format"]),
                    st.one_of(
                        st.none(), st.integers(), st.text(max_size=4), st.just("MEDIA_START")
                    ),
                ),
            ),
        ),
        max_size=6,
    ),
)
def test_garbage_is_at_worst_a_violation(start: str | None, messages: list[str | bytes]) -> None:
    stream, position = AsteriskStream(CODECS), 0
    try:
        for message in [start, *messages] if start else messages:
            for event in stream.feed(message):
                if isinstance(event, Media):
                    assert event.start_sample == position
                    position += len(event.payload)
    except ProtocolViolation:
        pass
