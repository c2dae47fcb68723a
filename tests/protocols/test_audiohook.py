"""Genesys AudioHook: what each message means and is answered with, and what each wrong one is."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, strategies as st

from streamtrace.errors import ProtocolViolation
from streamtrace.protocols.audiohook import AudioHookStream
from streamtrace.protocols.audiohook_messages import duration, written
from streamtrace.protocols.ingest import (
    Alive,
    Dtmf,
    Ended,
    IngestEvent,
    LegFormat,
    Media,
    Reply,
    Started,
)
from streamtrace.values import L16, PCMU, EndReason, GapCause, Leg
from tests.protocols.audiohook_messages import (
    BOTH,
    CONVERSATION,
    EXTERNAL,
    INTERNAL,
    NOBODY,
    ORGANIZATION,
    SESSION,
    Client,
    media,
)

FRAME = bytes([1, 2]) * 1600  # 200 ms: 1 from the customer, 2 from the agent


class Session:
    """A client and our side of it, told of each message in turn."""

    def __init__(self, **stream: Any) -> None:
        self.client = Client()
        self.stream = AudioHookStream(**stream)

    def feed(self, message: str | bytes) -> list[IngestEvent]:
        """Our events; what we answer is checked, and given as the dict that it is."""
        return [self._checked(event) for event in self.stream.feed(message)]

    def says(self, kind: str, parameters: Any = None, **changes: Any) -> list[IngestEvent]:
        return self.feed(self.client.says(kind, parameters, **changes))

    def answers(self, kind: str, parameters: Any = None) -> dict[str, Any]:
        """The one answer to a message."""
        (reply,) = (one for one in self.says(kind, parameters) if isinstance(one, dict))
        return reply

    def farewell(self, reason: EndReason, problem: str | None = None) -> list[dict[str, Any]]:
        return [self.client.hears(text) for text in self.stream.farewell(reason, problem)]

    def _checked(self, event: IngestEvent) -> Any:
        return self.client.hears(event.text) if isinstance(event, Reply) else event


@pytest.fixture
def session() -> Session:
    """One that is open, both parties."""
    opened = Session()
    opened.feed(opened.client.opens())
    return opened


def placed(events: list[IngestEvent]) -> list[tuple[Leg, int, GapCause]]:
    return [(e.leg, e.start_sample, e.gap_cause) for e in events if isinstance(e, Media)]


def test_a_session_from_open_to_closed() -> None:
    session = Session()
    started, opened = session.feed(
        session.client.opens(BOTH, EXTERNAL, customConfig={"line": "sales", "deep": {}})
    )
    assert started == Started(
        {Leg.CALLER: LegFormat(PCMU, 8_000), Leg.CALLEE: LegFormat(PCMU, 8_000)},
        CONVERSATION,
        {"line": "sales"},
    )
    assert opened["type"] == "opened"
    assert opened["clientseq"] == 1
    assert opened["parameters"] == {"media": [BOTH], "startPaused": False}
    assert session.feed(FRAME) == [
        Media(Leg.CALLER, 0, b"\1" * 1600),
        Media(Leg.CALLEE, 0, b"\2" * 1600),
    ]
    assert placed(session.feed(FRAME))[0][1] == 1600
    session.client.position = 0.4
    assert session.answers("ping")["type"] == "pong"
    assert session.answers("ping", {"rtt": "PT0.02S"})["clientseq"] == 3
    assert session.answers("update", {"language": "es-ES"})["type"] == "updated"
    assert session.says("dtmf", {"digit": "5"}) == [Dtmf(Leg.CALLER, "5")]
    assert session.says("error", {"code": 400, "message": "tough"}) == []
    assert session.says("close", {"reason": "end"}) == [Ended(EndReason.HUNG_UP)]
    (closed,) = session.farewell(EndReason.HUNG_UP)
    assert (closed["type"], closed["parameters"]) == ("closed", {})
    assert closed["seq"] == 5
    assert session.farewell(EndReason.HUNG_UP) == []
    assert session.says("ping") == []


L16_BOTH = media("external", "internal", form="L16")
TURNED = media("internal", "external")


@pytest.mark.parametrize(
    ("offers", "taken"),
    [
        ([EXTERNAL, INTERNAL, BOTH], BOTH),
        ([L16_BOTH, BOTH], BOTH),
        ([EXTERNAL, L16_BOTH], L16_BOTH),
        ([INTERNAL, EXTERNAL], EXTERNAL),
        ([INTERNAL], INTERNAL),
        ([TURNED, BOTH], TURNED),
        ([media("external", rate=16_000), media("external", form="OPUS"), EXTERNAL], EXTERNAL),
        ([7, {}, media(), media("external", "external"), media("both"), INTERNAL], INTERNAL),
        ([BOTH | {"later": "field"}], BOTH | {"later": "field"}),
    ],
)
def test_one_offer_is_taken_and_repeated_as_it_was(offers: list[Any], taken: Any) -> None:
    session = Session()
    started, opened = session.feed(session.client.opens(*offers))
    assert isinstance(started, Started)
    assert opened["parameters"]["media"] == [taken]
    assert len(started.legs) == len(taken["channels"])


def test_channels_are_legs_in_whichever_order_they_come() -> None:
    session = Session()
    session.feed(session.client.opens(TURNED))
    assert session.feed(FRAME)[0] == Media(Leg.CALLEE, 0, b"\1" * 1600)


def test_l16_is_two_bytes_a_sample() -> None:
    session = Session()
    started, _ = session.feed(session.client.opens(L16_BOTH))
    assert isinstance(started, Started)
    assert started.legs[Leg.CALLEE] == LegFormat(L16, 8_000)
    assert session.feed(bytes([1, 2, 3, 4, 5, 6, 7, 8])) == [
        Media(Leg.CALLER, 0, bytes([1, 2, 5, 6])),
        Media(Leg.CALLEE, 0, bytes([3, 4, 7, 8])),
    ]


def test_languages_are_named_where_asked_for() -> None:
    session = Session()
    _, opened = session.feed(session.client.opens(supportedLanguages=True))
    assert opened["parameters"]["supportedLanguages"] == []


def test_a_probe_is_answered_and_is_no_call() -> None:
    session = Session()
    (opened,) = session.feed(session.client.probes())
    assert opened["parameters"]["media"] == []
    assert not session.stream.is_call
    assert session.answers("ping")["type"] == "pong"
    assert session.says("close", {"reason": "end"}) == [Ended(EndReason.HUNG_UP)]
    assert [told["type"] for told in session.farewell(EndReason.HUNG_UP)] == ["closed"]


def test_a_pause_is_a_hole_of_its_own_kind(session: Session) -> None:
    session.feed(FRAME)
    session.client.position = 0.2
    assert session.says("paused") == [Alive()]
    session.client.position = 7.2  # the platform's clock runs on
    assert [type(event) for event in session.says("ping")] == [dict, Alive]
    assert session.says("paused") == []
    assert session.says("resumed", {"start": "PT0.2S", "discarded": "PT7S"}) == [Alive()]
    assert placed(session.feed(FRAME)) == [
        (Leg.CALLER, 57_600, GapCause.PAUSED),
        (Leg.CALLEE, 57_600, GapCause.PAUSED),
    ]


def test_a_pause_in_which_nothing_is_missing_is_none(session: Session) -> None:
    session.feed(FRAME)
    session.says("paused")
    session.says("resumed", {"start": "PT0.2S", "discarded": "PT0S"})
    assert placed(session.feed(FRAME))[0][1] == 1600


def test_discarded_audio_is_a_hole_of_its_own_kind(session: Session) -> None:
    session.feed(FRAME)
    session.client.position = 1.5
    assert session.says("discarded", {"start": "PT0.2S", "discarded": "PT1.3S"}) == []
    assert placed(session.feed(FRAME))[0] == (Leg.CALLER, 12_000, GapCause.DISCARDED)


def test_a_position_far_ahead_is_lost_audio_and_one_nearby_is_none(session: Session) -> None:
    session.feed(FRAME)
    session.client.position = 1.1
    session.says("ping")
    assert placed(session.feed(FRAME))[0][1] == 1600
    session.client.position = 60
    session.says("ping")
    assert placed(session.feed(FRAME))[0] == (Leg.CALLER, 480_000, GapCause.LOST)
    session.client.position = 0
    session.says("ping")
    assert placed(session.feed(FRAME))[0][1] == 481_600  # time never runs back


def test_a_session_that_is_not_paused_has_to_be_heard(session: Session) -> None:
    assert Alive() not in session.says("ping")


@pytest.mark.parametrize(
    ("reason", "ending"),
    [
        ("end", EndReason.HUNG_UP),
        ("disconnect", EndReason.HUNG_UP),
        ("reconnect", EndReason.HUNG_UP),
        ("error", EndReason.SOURCE_LOST),
    ],
)
def test_why_a_client_closes(reason: str, ending: EndReason, session: Session) -> None:
    assert session.says("close", {"reason": reason}) == [Ended(ending)]


def test_scores_go_as_an_entity_that_names_their_type(session: Session) -> None:
    event = {"type": "call.score.v1", "data": {"verdict": "synthetic"}}
    text = session.stream.report(json.dumps(event))
    assert text is not None
    told = session.client.hears(text)
    assert told["type"] == "event"
    assert told["parameters"] == {"entities": [{"type": "call.score.v1", "data": event}]}
    session.says("close", {"reason": "end"})
    assert session.stream.report(json.dumps(event)) is not None  # the final one still goes
    session.stream.farewell(EndReason.HUNG_UP, None)
    assert session.stream.report(json.dumps(event)) is None


def test_only_those_who_asked_are_told() -> None:
    assert not AudioHookStream().tells
    assert AudioHookStream(tells=True).tells


@pytest.mark.parametrize(
    ("reason", "problem", "parameters"),
    [
        (EndReason.DRAINED, None, {"reason": "completed", "info": "this server is going down"}),
        (EndReason.TOO_LONG, None, {"reason": "completed"}),
        (EndReason.IDLE_TIMEOUT, None, {"reason": "error", "info": "408: no audio"}),
        (EndReason.START_TIMEOUT, None, {"reason": "error", "info": "408: the session"}),
        (EndReason.ENGINE_FAILED, None, {"reason": "error", "info": "500: the engine"}),
        (EndReason.SOURCE_LOST, "all are taken", {"reason": "error", "info": "503: all are"}),
        (EndReason.PROTOCOL_ERROR, "409: twice", {"reason": "error", "info": "409: twice"}),
    ],
)
def test_a_server_that_ends_a_session_says_why_and_waits_for_the_close(
    reason: EndReason, problem: str | None, parameters: dict[str, str], session: Session
) -> None:
    (told,) = session.farewell(reason, problem)
    assert told["type"] == "disconnect"
    assert told["parameters"]["reason"] == parameters["reason"]
    assert told["parameters"]["info"].startswith(parameters.get("info", ""))
    assert session.stream.report('{"type": "call.ended.v1"}') is None
    assert session.feed(FRAME) == []
    assert session.says("ping") == []
    (closed,) = session.says("close", {"reason": "disconnect"})
    assert (closed["type"], closed["clientseq"]) == ("closed", 3)
    assert session.says("close", {"reason": "disconnect"}) == []
    assert session.farewell(EndReason.HUNG_UP) == []


@pytest.mark.parametrize("reason", [EndReason.HUNG_UP, EndReason.SOURCE_LOST])
def test_nothing_is_said_to_who_has_gone(reason: EndReason, session: Session) -> None:
    assert session.farewell(reason) == []


def test_a_client_that_closes_while_it_is_being_disconnected_is_answered(session: Session) -> None:
    session.says("close", {"reason": "end"})
    assert [told["type"] for told in session.farewell(EndReason.DRAINED)] == ["closed"]


def test_who_is_denied_is_heard_no_further_than_its_close() -> None:
    session = Session(session_id=SESSION, is_denied=True)
    assert not session.stream.is_call
    assert session.feed(session.client.opens()) == []
    assert session.feed(FRAME) == []
    assert session.feed("{") == []
    (told,) = session.farewell(EndReason.START_TIMEOUT)
    assert (told["type"], told["parameters"]) == ("disconnect", {"reason": "unauthorized"})
    assert told["clientseq"] == 0
    (closed,) = session.says("close", {"reason": "disconnect"})
    assert closed["type"] == "closed"


def test_a_session_of_another_organization_is_unauthorized() -> None:
    session = Session(organization_id=ORGANIZATION)
    session.feed(session.client.opens())
    session = Session(organization_id=NOBODY)
    with pytest.raises(ProtocolViolation, match="401") as violation:
        session.feed(session.client.opens())
    assert violation.value.close_code == 1008
    (told,) = session.farewell(EndReason.PROTOCOL_ERROR, str(violation.value))
    assert told["parameters"] == {"reason": "unauthorized"}


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


@given(st.integers(0, 7 * 24 * 3600 * 8_000))
def test_positions_are_written_as_they_are_read(position: int) -> None:
    assert duration({"at": written(position)}, "at") == position


@pytest.mark.parametrize(
    ("text", "samples"),
    [("PT0S", 0), ("PT1.2S", 9_600), ("PT.5S", 4_000), ("PT1.S", 8_000), ("PT0.0000625S", 1)],
)
def test_durations(text: str, samples: int) -> None:
    assert duration({"at": text}, "at") == samples


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
