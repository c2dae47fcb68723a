"""Twilio's relatives: what each message means, and what each wrong one is closed with."""

from __future__ import annotations

import json
from typing import Any

import pytest

from streamtrace.audio.codecs import CODECS
from streamtrace.protocols.ingest import Dtmf, Ended, Marked, Media, Started
from streamtrace.protocols.track import MOST_HELD
from streamtrace.protocols.tracked import SAMPLES_IN
from streamtrace.values import L16, PCMU, EndReason, Leg
from tests.protocols.dialect import STREAM_IDS, Dialect, close_code, fed, heard
from tests.protocols.dialects import DIALECTS, PLIVO, SIGNALWIRE, TELNYX, TWILIO

every = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda one: one.name)


def frame_samples(dialect: Dialect) -> int:
    return dialect.form.rate_hz * dialect.frame_ms // 1000


@every
def test_a_call_as_the_platform_s_reference_words_it(dialect: Dialect) -> None:
    said = [dialect.frame(1), dialect.frame(2)]
    said += [json.dumps(dialect.dtmf), json.dumps(dialect.mark)]
    started, *events = fed(dialect, *dialect.opening(), *said, *dialect.goodbye())
    assert started == Started(
        dict.fromkeys(dialect.legs, dialect.form),
        dialect.external_id,
        dialect.parameters,
        stream_id=dialect.stream_id,
        legs_come_late=dialect is TELNYX,
    )
    assert events == [
        Media(Leg.CALLER, 0, dialect.payload(1)),
        Media(Leg.CALLER, frame_samples(dialect), dialect.payload(2)),
        Dtmf(Leg.CALLER, "1"),
        Marked("greeting"),
        *([Ended(EndReason.HUNG_UP)] if dialect.stop else []),
    ]


@every
def test_payloads_are_as_long_as_they_are_heard(dialect: Dialect) -> None:
    codec = CODECS[dialect.form.codec]
    assert codec.samples_in(dialect.payload(1)) == frame_samples(dialect)
    assert len(codec.decoder()([dialect.payload(1)])) == frame_samples(dialect)


def test_the_two_tables_of_lengths_agree() -> None:
    payload = bytes(160)
    lengths = {name: samples_in(payload) for name, samples_in in SAMPLES_IN.items()}
    assert lengths == {name: CODECS[name].samples_in(payload) for name in SAMPLES_IN}


@pytest.mark.parametrize("dialect", [TWILIO, SIGNALWIRE, PLIVO], ids=lambda one: one.name)
def test_both_tracks_are_two_legs(dialect: Dialect) -> None:
    messages = [dialect.frame(1), dialect.frame(1, track="outbound"), dialect.frame(2)]
    events = fed(dialect, *dialect.opening(tracks=["inbound", "outbound"]), *messages)
    started, *media = events
    assert isinstance(started, Started)
    assert list(started.legs) == [Leg.CALLER, Leg.CALLEE]
    assert [one.leg for one in media if isinstance(one, Media)] == [
        Leg.CALLER,
        Leg.CALLEE,
        Leg.CALLER,
    ]
    assert close_code(dialect, *dialect.opening(), dialect.frame(1, track="outbound")) == 1007


@every
def test_a_lost_frame_is_a_hole_of_its_length(dialect: Dialect) -> None:
    numbers = [1, 2, 4, 5, 6, 7]
    places = [place for _, place, _ in heard(dialect, *map(dialect.frame, numbers))]
    assert places == [(number - 1) * frame_samples(dialect) for number in numbers]


@every
def test_what_comes_twice_or_out_of_order_costs_nothing(dialect: Dialect) -> None:
    inorder = heard(dialect, *(dialect.frame(number) for number in range(1, 9)))
    mixed = [1, 1, 3, 2, 2, 4, 3, 6, 5, 5, 7, 8, 1]
    assert heard(dialect, *map(dialect.frame, mixed)) == inorder
    assert len(inorder) == 8


@every
def test_a_pause_of_the_sender_is_a_hole(dialect: Dialect) -> None:
    later_ms = dialect.frame_ms + 5_000
    stamp = int(json.loads(dialect.frame(1))["media"]["timestamp"]) + later_ms
    places = heard(dialect, dialect.frame(1), dialect.frame(2, timestamp=str(stamp)))
    assert places[1][1] == dialect.form.rate_hz * later_ms // 1000


@every
def test_silence_has_its_place_and_no_news_of_its_own(dialect: Dialect) -> None:
    nothing = dialect.frame(2, payload="")
    places = [place for _, place, _ in heard(dialect, dialect.frame(1), nothing, dialect.frame(3))]
    assert len(places) == 2


@every
@pytest.mark.parametrize(
    ("say", "code"),
    [
        (lambda d: ["{"], 1007),
        (lambda d: ["[]"], 1007),
        (lambda d: [b"audio"], 1003),
        (lambda d: [json.dumps({"event": "hello"})], 4400),
        (lambda d: [json.dumps({"event": "error", "payload": {"code": 1}})], 4400),
        (lambda d: [d.frame(1)], 4400),
        (lambda d: d.opening() + d.opening()[-1:], 4409),
        (lambda d: [*d.opening(), json.dumps({"event": "connected"})], 4409),
        (lambda d: [*d.opening(), "{}"], 1007),
        (lambda d: [*d.opening(), d.frame(1, payload=None)], 1007),
        (lambda d: [*d.opening(), d.frame(1, payload="%%%%")], 1007),
        (lambda d: [*d.opening(), d.frame(1, payload="/w=")], 1007),
        (lambda d: [*d.opening(), d.frame(1, payload="AAAA" * 40_000)], 1009),
        (lambda d: [*d.opening(), d.frame(1, track="sideways")], 1007),
        (lambda d: [*d.opening(), d.frame(1, track=["inbound"])], 1007),
        (lambda d: [*d.opening(), d.frame(1, chunk="999999999999")], 1007),
        (lambda d: [*d.opening(), d.frame(1), d.frame(2, timestamp="1900000000000")], 1007),
        (lambda d: d.formatted(encoding="AMR-WB"), 4400),
        (lambda d: d.formatted(encoding=7), 4400),
        (lambda d: d.formatted(sampleRate=11_025, sample_rate=11_025), 4400),
        (lambda d: d.formatted(sampleRate="fast", sample_rate="fast"), 4400),
        (lambda d: d.formatted(channels=2), 4400),
        (lambda d: d.formatted(channels=0), 4400),
    ],
)
def test_violations(dialect: Dialect, say: Any, code: int) -> None:
    assert close_code(dialect, *say(dialect)) == code


@pytest.mark.parametrize("dialect", [TWILIO, SIGNALWIRE, PLIVO], ids=lambda one: one.name)
@pytest.mark.parametrize("tracks", [["sideways"], [], "inbound", [["inbound"]]])
def test_tracks_that_are_none(dialect: Dialect, tracks: object) -> None:
    assert close_code(dialect, *dialect.opening(tracks=tracks)) == 4400


def test_a_key_of_the_other_party() -> None:
    key = TWILIO.dtmf | {"dtmf": {"track": "outbound_track", "digit": "5"}}
    assert fed(TWILIO, *TWILIO.opening(), json.dumps(key))[1:] == [Dtmf(Leg.CALLEE, "5")]


@every
def test_a_message_of_another_stream(dialect: Dialect) -> None:
    key = next(key for key in STREAM_IDS if key in dialect.media)
    other = json.dumps(json.loads(dialect.frame(1)) | {key: "another"})
    assert close_code(dialect, *dialect.opening(), other) == 1008


@every
def test_a_start_without_a_stream_id(dialect: Dialect) -> None:
    start = {key: one for key, one in dialect.start.items() if key not in STREAM_IDS}
    inner = {key: one for key, one in dialect.start["start"].items() if key not in STREAM_IDS}
    assert close_code(dialect, json.dumps(start | {"start": inner})) == 4400


@every
def test_what_is_left_out_is_what_the_platform_does_by_default(dialect: Dialect) -> None:
    [started] = fed(dialect, *dialect.formatted(encoding=None, sampleRate=None, sample_rate=None))
    assert isinstance(started, Started)
    assert started.legs[Leg.CALLER].codec in (PCMU, L16)


@every
def test_events_of_later_versions_are_left_out(dialect: Dialect) -> None:
    later = [json.dumps({"event": one}) for one in ("novelty", "clear", "clearedAudio", "error")]
    assert len(fed(dialect, *dialect.opening(), *later)) == 1


@every
def test_nothing_follows_a_goodbye(dialect: Dialect) -> None:
    if not dialect.stop:
        return
    said = [*dialect.opening(), *dialect.goodbye(), dialect.frame(1), b"?", "?"]
    assert [type(event) for event in fed(dialect, *said)] == [Started, Ended]
    assert fed(dialect, *dialect.goodbye()) == [Ended(EndReason.HUNG_UP)]


@every
def test_an_abrupt_end_gives_what_was_held(dialect: Dialect) -> None:
    assert len(heard(dialect, dialect.frame(1), dialect.frame(3))) == 2


@every
def test_little_is_held_for_a_frame_that_does_not_come(dialect: Dialect) -> None:
    stream = dialect.stream()
    for message in (*dialect.opening(), dialect.frame(1)):
        stream.feed(message)
    held = longest = 0
    for number in range(3, 40):
        held = 0 if stream.feed(dialect.frame(number)) else held + 1
        longest = max(longest, held)
    assert 0 < longest <= MOST_HELD
