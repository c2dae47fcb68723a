"""Genesys AudioHook: what each message means and is answered with, and what each wrong one is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from streamtrace.errors import ProtocolViolation
from streamtrace.protocols.audiohook import AudioHookStream
from streamtrace.protocols.audiohook_messages import duration, written
from streamtrace.protocols.ingest import Alive, Dtmf, Ended, IngestEvent, LegFormat, Media, Started
from streamtrace.values import L16, PCMU, EndReason, GapCause, Leg
from tests.protocols.audiohook_messages import (
    BOTH,
    CONVERSATION,
    EXTERNAL,
    INTERNAL,
    NOBODY,
    ORGANIZATION,
    SESSION,
    media,
)
from tests.protocols.audiohook_session import FRAME, Session


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


@given(st.integers(0, 7 * 24 * 3600 * 8_000))
def test_positions_are_written_as_they_are_read(position: int) -> None:
    assert duration({"at": written(position)}, "at") == position


@pytest.mark.parametrize(
    ("text", "samples"),
    [("PT0S", 0), ("PT1.2S", 9_600), ("PT.5S", 4_000), ("PT1.S", 8_000), ("PT0.0000625S", 1)],
)
def test_durations(text: str, samples: int) -> None:
    assert duration({"at": text}, "at") == samples
