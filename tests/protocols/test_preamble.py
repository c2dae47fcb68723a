"""The platforms of the PCM family: which one is recognised, and what is read out of its words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from streamtrace.errors import ProtocolViolation
from streamtrace.protocols.ingest import Dtmf, IngestEvent, LegFormat, Media, Quiet, Reply, Started
from streamtrace.protocols.pcm import PcmStream
from streamtrace.protocols.preamble import is_preamble, read_preamble
from streamtrace.values import L16, EndReason, Leg
from tests.protocols.pcm_messages import (
    CONVERSATIONS,
    FRAME_16K,
    jambonz_start,
    livekit_muted,
    sinch_connect,
    vonage_connected,
)


def fed(stream: PcmStream, *messages: str | bytes) -> list[IngestEvent]:
    return [event for message in messages for event in stream.feed(message)]


def started(message: str, **url: Any) -> Started:
    first = PcmStream(**url).feed(message)[0]
    assert isinstance(first, Started)
    return first


def test_jambonz_and_its_metadata_amid_its_own_words() -> None:
    start = started(jambonz_start(tenant="acme"), rate_hz=16_000)
    assert start == Started(
        {Leg.CALLER: LegFormat(L16, 8_000), Leg.CALLEE: LegFormat(L16, 8_000)},
        "jb-1",
        {"line": "sales", "tenant": "acme"},  # neither numbers nor addresses
        protocol="jambonz",
    )
    assert started(jambonz_start(external_id="mine")).external_id == "mine"
    assert list(started(jambonz_start(mixType="mixed")).legs) == [Leg.CALLER]


def test_vonage_and_its_headers() -> None:
    start = started(vonage_connected(uuid="vo-1", tenant="acme"), rate_hz=8_000)
    assert start == Started(
        {Leg.CALLER: LegFormat(L16, 16_000)}, "vo-1", {"tenant": "acme"}, protocol="vonage"
    )
    older = json.dumps({"content-type": "audio/l16;rate=8000", "caller": "x"})
    assert started(older).protocol == "vonage"
    assert started(older).legs[Leg.CALLER].rate_hz == 8_000


def test_sinch_is_answered_behind_its_start() -> None:
    begun, reply, media = fed(PcmStream(), sinch_connect(sampleRate=48_000), FRAME_16K)
    assert begun == Started(
        {Leg.CALLER: LegFormat(L16, 48_000)}, "si-1", {"line": "sales"}, protocol="sinch"
    )
    assert isinstance(reply, Reply)
    assert json.loads(reply.text) == {"command": "answer"}
    assert isinstance(media, Media)


def test_sinch_headers_may_be_a_list() -> None:
    headers = [{"key": "line", "value": "a"}, {"key": 7}, "?", {"value": "no key"}]
    assert started(sinch_connect(callHeaders=headers)).parameters == {"line": "a"}
    mine = [{"key": "external_id", "value": "mine"}]
    assert started(sinch_connect(callHeaders=mine)).external_id == "mine"
    assert started(sinch_connect(callHeaders={"external_id": "mine"})).external_id == "mine"


def test_a_sinch_call_that_cannot_be_taken_is_rejected_in_its_words() -> None:
    stream = PcmStream()
    with pytest.raises(ProtocolViolation, match="rate"):
        stream.feed(sinch_connect(sampleRate=96_000))
    assert [json.loads(text) for text in stream.farewell(EndReason.PROTOCOL_ERROR, "rate")] == [
        {"command": "reject"}
    ]
    answered = PcmStream()
    answered.feed(sinch_connect())
    assert answered.farewell(EndReason.HUNG_UP, None) == []


def test_freeswitch_sends_any_metadata() -> None:
    start = started('{"uuid": "fs-1", "tenant": "acme", "n": 3}', platform="audiofork")
    assert (start.external_id, start.parameters, start.protocol) == (
        "fs-1",
        {"tenant": "acme"},
        "audiofork",
    )
    plain = started("tenant acme", external_id="by-url", parameters={"tenant": "u"})
    assert (plain.external_id, plain.parameters, plain.protocol) == (
        "by-url",
        {"tenant": "u"},
        None,
    )


def test_the_preamble_goes_over_the_url() -> None:
    start = started('{"tenant": "text"}', parameters={"tenant": "url", "kept": "1"})
    assert start.parameters == {"tenant": "text", "kept": "1"}


def test_muted_is_not_lost_and_what_follows_is_not_joined_to_it() -> None:
    events = fed(
        PcmStream(16_000, 2),
        FRAME_16K[:6],  # one sample of both, and half of the next
        livekit_muted(muted=True),
        livekit_muted(muted=True),
        livekit_muted(muted=False),
        FRAME_16K[6:640],
    )
    quiets = [event.is_on for event in events if isinstance(event, Quiet)]
    assert quiets == [True, True, False]
    media = [event for event in events if isinstance(event, Media) and event.leg is Leg.CALLER]
    assert [one.start_sample for one in media] == [0, 1, 1 + 3_840]
    assert not any(media[1].payload)
    assert media[2].payload[:2] == FRAME_16K[4:6]  # halves still find each other


def test_a_stream_that_goes_on_while_muted_has_no_seam() -> None:
    muted, unmuted = livekit_muted(muted=True), livekit_muted(muted=False)
    events = fed(PcmStream(), muted, FRAME_16K, unmuted, FRAME_16K)
    assert [event.start_sample for event in events if isinstance(event, Media)] == [0, 320]
    assert [type(event) for event in fed(PcmStream(), muted, unmuted)] == [Started, Quiet, Quiet]


@pytest.mark.parametrize("again", [vonage_connected(), sinch_connect(), jambonz_start()])
def test_a_second_preamble(again: str) -> None:
    stream = PcmStream()
    stream.feed(FRAME_16K)
    with pytest.raises(ProtocolViolation) as violation:
        stream.feed(again)
    assert violation.value.close_code == 4409


def test_what_is_said_amid_a_call_is_no_preamble() -> None:
    assert not is_preamble({"callSid": "x", "event": "dtmf"})
    assert not is_preamble({})


@pytest.mark.parametrize(
    "said", [{"content-type": "audio/opus"}, {"sampleRate": None}, {"mixType": 3}]
)
def test_what_cannot_be_read_is_refused(said: dict[str, Any]) -> None:
    with pytest.raises(ProtocolViolation) as violation:
        PcmStream().feed(json.dumps(said))
    assert violation.value.close_code == 4400
    assert read_preamble(said) is not None


@pytest.mark.parametrize("name", list(CONVERSATIONS))
def test_a_whole_conversation(name: str) -> None:
    events = fed(PcmStream(8_000), *CONVERSATIONS[name])
    assert isinstance(events[0], Started)
    assert sum(isinstance(event, Started) for event in events) == 1
    assert any(isinstance(event, Media) for event in events)
    digits = [event.digit for event in events if isinstance(event, Dtmf)]
    assert digits == {"jambonz": ["5"], "vonage": ["#"]}.get(name, [])
