"""AudioSocket: every kind of frame, any cut of the stream, and what no sound sender says."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given, settings, strategies as st

from streamtrace.errors import ProtocolViolation
from streamtrace.protocols.audiosocket import AudioSocketStream, encode_frame
from streamtrace.protocols.ingest import (
    Alive,
    Dtmf,
    Ended,
    IngestEvent,
    LegFormat,
    Media,
    Opened,
    Started,
)
from streamtrace.values import L16, EndReason, Leg
from tests.protocols.audiosocket_frames import CALL, HANG_UP, KEY_5, WHO, audio

NAMED = Started({}, str(CALL))
RATES_HZ = dict(
    zip(range(0x10, 0x19), (8, 12, 16, 24, 32, 44.1, 48, 96, 192), strict=True)  # kHz, as published
)


def read(pieces: Iterable[bytes]) -> tuple[list[IngestEvent], str | None]:
    """All events, and what was wrong in the end."""
    stream, events = AudioSocketStream(), list[IngestEvent]()
    try:
        for piece in pieces:
            events.extend(stream.feed(piece))
    except ProtocolViolation as violation:
        return events, f"{violation.close_code} {violation}"
    return events, None


def opened(rate_hz: int = 8_000) -> Opened:
    return Opened(Leg.CALLER, LegFormat(L16, rate_hz))


def test_a_call_as_asterisk_sends_it() -> None:
    events, problem = read([WHO, audio(value=1), KEY_5, audio(value=-1), HANG_UP])
    assert problem is None
    assert events == [
        NAMED,
        opened(),
        Media(Leg.CALLER, 0, b"\x01\x00" * 160),
        Dtmf(Leg.CALLER, "5"),
        Media(Leg.CALLER, 160, b"\xff\xff" * 160),
        Ended(EndReason.HUNG_UP),
    ]


@pytest.mark.parametrize(("kind", "khz"), RATES_HZ.items())
def test_each_kind_of_audio_has_its_rate(kind: int, khz: float) -> None:
    samples = round(khz * 20)
    events, problem = read([WHO, audio(samples, kind), audio(samples, kind)])
    assert problem is None
    assert events[1:] == [
        opened(round(khz * 1000)),
        Media(Leg.CALLER, 0, bytes(2 * samples)),
        Media(Leg.CALLER, samples, bytes(2 * samples)),
    ]


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        ("02 0000", [Alive()]),
        ("02 0002 0000", [Alive()]),
        ("03 0001 2a", [Dtmf(Leg.CALLER, "*")]),
        ("03 0001 44", [Dtmf(Leg.CALLER, "D")]),
        ("03 0001 07", []),
        ("10 0000", []),
        ("ff 0000", [Ended(EndReason.SOURCE_LOST)]),
        ("ff 0001 01", [Ended(EndReason.HUNG_UP)]),
        ("ff 0001 02", [Ended(EndReason.SOURCE_LOST)]),
        ("ff 0001 04", [Ended(EndReason.SOURCE_LOST)]),
        ("04 0003 010203", []),  # of no kind that is known today
        ("20 0000", []),
        ("fe 0001 00", []),
        ("00 0002 0000", [Ended(EndReason.HUNG_UP)]),
    ],
)
def test_frames_that_are_no_audio(frame: str, said: list[IngestEvent]) -> None:
    events, problem = read([WHO, bytes.fromhex(frame), audio()])
    assert problem is None
    heard = [] if Ended in map(type, said) else [opened(), Media(Leg.CALLER, 0, bytes(320))]
    assert events == [NAMED, *said, *heard]


@pytest.mark.parametrize("frame", ["00 0000", "ff 0000"])
def test_an_end_before_the_name(frame: str) -> None:
    events, problem = read([bytes.fromhex(frame)])
    assert [type(event) for event in events] == [Ended]
    assert problem is None


@pytest.mark.parametrize(
    ("sent", "code", "word"),
    [
        (b"GET / HTTP/1.1", 4400, "does not begin with a UUID"),
        (b"\x16\x03\x01\x02\x00", 4400, "does not begin with a UUID"),
        (audio(), 4400, "does not begin with a UUID"),
        (KEY_5, 4400, "does not begin with a UUID"),
        (b"\x01\x00\x24" + str(CALL).encode(), 4400, "36 bytes, not 16"),
        (b"\x01\x00\x00", 4400, "0 bytes, not 16"),
        (WHO + WHO, 4409, "second UUID"),
        (WHO + audio() + WHO, 4409, "second UUID"),
        (WHO + b"\x03\x00\x02", 1007, "2 bytes, not 1"),
        (WHO + b"\x10\x01\x41", 1007, "321 bytes of 16-bit"),
        (WHO + b"\x10\x3e\x82", 1009, "more than a second"),
        (WHO + b"\x10\xff\xfe", 1009, "more than a second"),
        (WHO + audio() + audio(kind=0x12), 1007, "0x12 amid a call of 0x10"),
        (WHO + b"\x19\x00\x02", 1003, "unknown kind, 0x19"),
    ],
)
def test_violations(sent: bytes, code: int, word: str) -> None:
    """They are told by a frame's head alone."""
    events, problem = read([sent])
    assert problem is not None
    assert problem.startswith(f"{code} ")
    assert word in problem
    assert events[:1] == ([NAMED] if sent.startswith(WHO) else [])


def test_text_is_none() -> None:
    with pytest.raises(ProtocolViolation):
        list(AudioSocketStream().feed("hello"))


def test_nothing_is_heard_behind_the_end() -> None:
    stream = AudioSocketStream()
    assert list(stream.feed(WHO + HANG_UP + audio() + b"rest"))[-1] == Ended(EndReason.HUNG_UP)
    assert list(stream.feed(audio())) == []
    assert not stream.is_amid_frame


def test_where_a_frame_is_cut_shows() -> None:
    stream = AudioSocketStream()
    for piece, is_amid in ((WHO[:1], True), (WHO[1:], False), (audio()[:200], True)):
        list(stream.feed(piece))
        assert stream.is_amid_frame == is_amid
    assert stream.flush() == []


def test_our_frames_are_the_published_ones() -> None:
    assert encode_frame(0x00) == HANG_UP
    assert encode_frame(0x01, CALL.bytes) == WHO
    assert encode_frame(0x03, b"5") == KEY_5
    assert encode_frame(0x12, bytes(640)) == audio(320, 0x12)


FRAMES = st.one_of(
    st.just(audio()),
    st.just(KEY_5),
    st.just(audio(0)),
    st.builds(audio, st.integers(1, 400)),
    st.builds(encode_frame, st.sampled_from([0x02, 0x04, 0x21]), st.binary(max_size=40)),
    st.sampled_from([HANG_UP, WHO, audio(kind=0x12), audio(9_000), b"\x10\x00\x01", b"\x1a"]),
    st.binary(max_size=8),
)


@pytest.mark.laws
@settings(max_examples=150, deadline=None)
@given(
    frames=st.lists(FRAMES, max_size=8),
    cuts=st.lists(st.integers(0, 2_000), max_size=12),
)
def test_how_the_stream_is_cut_does_not_matter(frames: list[bytes], cuts: list[int]) -> None:
    whole = WHO + b"".join(frames)
    edges = sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})
    pieces = [whole[start:end] for start, end in pairwise(edges)]
    assert read(pieces) == read([whole])
    if len(whole) < 1_500:
        assert read(whole[at : at + 1] for at in range(len(whole))) == read([whole])


@pytest.mark.laws
@settings(max_examples=200, deadline=None)
@given(named=st.booleans(), pieces=st.lists(st.binary(max_size=300), max_size=6))
def test_garbage_is_at_worst_a_violation(pieces: list[bytes], *, named: bool) -> None:
    events, _ = read([WHO, *pieces] if named else pieces)
    media = [event for event in events if isinstance(event, Media)]
    ends = [one.start_sample + len(one.payload) // 2 for one in media]
    assert [one.start_sample for one in media] == [0, *ends][: len(media)]
    assert all(isinstance(event, Ended) is (event is events[-1]) for event in events[:-1])
