"""Genesys AudioHook: what each wrong message is told, and that no sequence does more harm."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, strategies as st

from streamtrace.errors import ProtocolViolation
from streamtrace.protocols.ingest import Media, Reply
from streamtrace.values import EndReason, Leg
from tests.protocols.audiohook_messages import BOTH, NOBODY, Client, media
from tests.protocols.audiohook_session import FRAME, Session


@pytest.fixture
def session() -> Session:
    """One that is open, both parties."""
    opened = Session()
    opened.feed(opened.client.opens())
    return opened


Wrong = Callable[[Client], str | bytes]


@pytest.mark.parametrize(
    ("wrong", "code", "close_code"),
    [
        (lambda c: "{", 400, 1007),
        (lambda c: "[]", 400, 1007),
        (lambda c: "x" * 65_536, 413, 1009),
        (lambda c: c.opens() + " " * 70_000, 413, 1009),
        (lambda c: c.says("ping", version="1"), 400, 1007),
        (lambda c: c.says("ping", id="me"), 400, 1007),
        (lambda c: c.says("ping", type=7), 400, 1007),
        (lambda c: c.says("ping", []), 400, 1007),
        (lambda c: c.says("ping", position=None), 400, 1007),
        (lambda c: c.says("ping", position="PT1M"), 400, 1007),
        (lambda c: c.says("ping", position="PT.S"), 400, 1007),
        (lambda c: c.says("ping", position="PT999999S"), 400, 1007),
        (lambda c: c.says("ping", seq=0), 400, 1007),
        (lambda c: c.says("ping", seq=2), 400, 1007),
        (lambda c: c.says("ping", seq="1"), 400, 1007),
        (lambda c: c.says("ping", serverseq=1), 400, 1007),
        (lambda c: c.says("sing"), 405, 1007),
        (lambda c: c.says("opened"), 405, 1007),
        (lambda c: c.says("paused"), 409, 4400),
        (lambda c: c.says("update", {"language": "en"}), 409, 4400),
        (lambda c: b"audio", 409, 4400),
        (lambda c: c.opens(organizationId=None), 400, 1007),
        (lambda c: c.opens(conversationId=7), 400, 1007),
        (lambda c: c.opens(media=None), 400, 1007),
        (lambda c: c.opens(media=[]), 415, 1003),
        (lambda c: c.opens(media("external", rate=16_000)), 415, 1003),
    ],
)
def test_a_wrong_beginning(wrong: Wrong, code: int, close_code: int) -> None:
    check_wrong(Session(), wrong, code, close_code)


@pytest.mark.parametrize(
    ("wrong", "code", "close_code"),
    [
        (lambda c: c.opens(), 409, 4409),
        (lambda c: c.says("ping", seq=1), 400, 1007),
        (lambda c: c.says("ping", seq=3), 400, 1007),
        (lambda c: c.says("ping", serverseq=2), 400, 1007),
        (lambda c: c.says("ping", id=NOBODY), 400, 1007),
        (lambda c: c.says("resumed"), 400, 1007),
        (lambda c: c.says("discarded", {"start": "PT0S", "discarded": "soon"}), 400, 1007),
        (lambda c: c.says("sing"), 405, 1007),
        (lambda c: b"odd", 400, 1007),
        (lambda c: bytes(2 * 80_002), 413, 1009),
    ],
)
def test_a_wrong_message_in_an_open_session(
    wrong: Wrong, code: int, close_code: int, session: Session
) -> None:
    check_wrong(session, wrong, code, close_code)


def test_audio_behind_a_probe_is_wrong() -> None:
    session = Session()
    session.feed(session.client.probes())
    check_wrong(session, lambda c: FRAME, 409, 4409)


def check_wrong(session: Session, wrong: Wrong, code: int, close_code: int) -> None:
    """It is told by a `disconnect` with the code, and then only `close` counts."""
    with pytest.raises(ProtocolViolation, match=rf"^{code}: ") as violation:
        session.feed(wrong(session.client))
    assert violation.value.close_code == close_code
    assert session.feed(FRAME) == []
    for text in session.stream.farewell(EndReason.PROTOCOL_ERROR, str(violation.value)):
        told = json.loads(text)
        assert (told["type"], told["parameters"]["reason"]) == ("disconnect", "error")
        assert told["parameters"]["info"].startswith(f"{code}: ")
    (closed,) = session.stream.feed(session.client.says("close", {"reason": "error"}))
    assert isinstance(closed, Reply)
    assert json.loads(closed.text)["type"] == "closed"


def test_another_session_than_the_request_s() -> None:
    session = Session(session_id=NOBODY)
    with pytest.raises(ProtocolViolation, match="400: a message of another session"):
        session.feed(session.client.opens())


KINDS = st.sampled_from(
    ["open", "close", "ping", "error", "paused", "resumed", "discarded", "update", "dtmf", "sing"]
)
SECONDS = st.sampled_from(["PT0S", "PT0.2S", "PT5S", "PT100S", "PT1000000S", "", "5"])
PARAMETERS = st.dictionaries(
    st.sampled_from(["start", "discarded", "reason", "digit", "media", "conversationId"]),
    SECONDS | st.none() | st.integers() | st.lists(st.sampled_from([BOTH, {}, 7])),
    max_size=3,
)
SAID = st.tuples(KINDS, PARAMETERS, SECONDS)
STEPS = st.lists(SAID | st.sampled_from(["open", "probe", "{", FRAME, b"", b"odd"]), max_size=30)


@given(STEPS, st.booleans())
def test_nothing_but_one_violation_comes_of_any_sequence(steps: list[Any], denied: bool) -> None:
    session, ends = Session(is_denied=denied), dict[Leg, int]()
    replies = violations = 0
    for step in steps:
        match step:
            case "open":
                message = session.client.opens()
            case "probe":
                message = session.client.probes()
            case str() | bytes():
                message = step
            case _:
                kind, parameters, session.client.position = step
                message = session.client.says(kind, parameters)
        try:
            events = session.feed(message)
        except ProtocolViolation:
            violations += 1
            continue
        replies += sum(isinstance(event, dict) for event in events)
        for event in events:
            if isinstance(event, Media):
                assert event.start_sample >= ends.get(event.leg, 0)
                ends[event.leg] = event.start_sample + len(event.payload)
    assert violations <= 1
    assert replies <= len(steps)
    assert len(session.farewell(EndReason.DRAINED)) <= 1
