"""Bare PCM: rates, channels, preambles, and messages cut anywhere."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from streamtrace.errors import ProtocolViolation
from streamtrace.protocols.ingest import Dtmf, Ended, IngestEvent, LegFormat, Media, Started
from streamtrace.protocols.pcm import PcmStream
from streamtrace.values import L16, EndReason, Leg


def fed(stream: PcmStream, *messages: str | bytes) -> list[IngestEvent]:
    return [event for message in messages for event in stream.feed(message)]


def started(*messages: str | bytes, **url: Any) -> Started:
    first = fed(PcmStream(**url), *messages)[0]
    assert isinstance(first, Started)
    return first


def test_audio_alone_starts_by_the_url() -> None:
    events = fed(PcmStream(8_000, 1, "call-1"), b"\1\0\2\0", b"\3\0")
    assert events == [
        Started({Leg.CALLER: LegFormat(L16, 8_000)}, "call-1"),
        Media(Leg.CALLER, 0, b"\1\0\2\0"),
        Media(Leg.CALLER, 2, b"\3\0"),
    ]


def test_stereo_is_caller_and_callee() -> None:
    samples = np.arange(8, dtype="<i2").tobytes()
    _, caller, callee = fed(PcmStream(16_000, 2), samples)
    assert caller == Media(Leg.CALLER, 0, np.array([0, 2, 4, 6], "<i2").tobytes())
    assert callee == Media(Leg.CALLEE, 0, np.array([1, 3, 5, 7], "<i2").tobytes())


@given(st.lists(st.binary(max_size=9)), st.sampled_from([1, 2]))
def test_how_messages_cut_the_samples_does_not_matter(cuts: list[bytes], channels: int) -> None:
    def parts(messages: list[bytes]) -> dict[Leg, bytes]:
        joined = {Leg.CALLER: b"", Leg.CALLEE: b""}
        for event in fed(PcmStream(16_000, channels), *messages):
            if isinstance(event, Media):
                assert event.start_sample * 2 == len(joined[event.leg])
                joined[event.leg] += event.payload
        return joined

    assert parts(cuts) == parts([b"".join(cuts)])


@pytest.mark.parametrize("preamble", ["hello", "{", "[]", "7", "{}"])
def test_a_preamble_of_any_kind_starts_the_stream(preamble: str) -> None:
    assert started(preamble, rate_hz=24_000).legs[Leg.CALLER].rate_hz == 24_000


def test_keys_goodbye_and_what_is_not_known() -> None:
    events = fed(
        PcmStream(),
        b"",
        json.dumps({"event": "dtmf", "dtmf": "2", "duration": 1}),
        json.dumps({"event": "websocket:dtmf", "digit": "5"}),
        "whatever",
        json.dumps({"event": "stop"}),
        b"\0\0",
    )
    assert events[1:] == [
        Dtmf(Leg.CALLER, "2"),
        Dtmf(Leg.CALLER, "5"),
        Ended(EndReason.HUNG_UP),
    ]


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        ([json.dumps({"sampleRate": 4000})], 4400),
        ([json.dumps({"sampleRate": "fast"})], 4400),
        ([json.dumps({"sampleRate": 96_000})], 4400),
        ([json.dumps({"mixType": "quadro"})], 4400),
        ([json.dumps({"sampleRate": 8000}), json.dumps({"sampleRate": 8000})], 4409),
        ([b"\0\0", json.dumps({"sampleRate": 8000})], 4409),
    ],
)
def test_violations(messages: list[str | bytes], code: int) -> None:
    with pytest.raises(ProtocolViolation) as violation:
        fed(PcmStream(), *messages)
    assert violation.value.close_code == code


@pytest.mark.parametrize(("rate_hz", "channels"), [(7_999, 1), (48_001, 1), (8_000, 0), (8_000, 3)])
def test_a_wrong_url(rate_hz: int, channels: int) -> None:
    with pytest.raises(ProtocolViolation):
        PcmStream(rate_hz, channels)
