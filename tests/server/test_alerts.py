"""Alerts over REST: who may do what, with what in hand, and what everybody is told of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from streamtrace.errors import SettingsError
from streamtrace.settings import Settings
from streamtrace.sinks.channel import SlowReader
from streamtrace.values import Leg
from tests.alerts import scores
from tests.server.alert_calls import MINUTE, Desk, desk

DISMISSED = {"disposition": "benign_synthetic", "note": "a voice aid"}
HUMAN, SYNTHETIC = -2.0, 5.0


TRUE = "true_positive"


def database(folder: Path) -> str:
    return f"sqlite:///{folder}/events.db"


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk(database(tmp_path)) as given:
        yield given


@pytest_asyncio.fixture(params=["memory", "kept"])
async def either(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Desk]:
    """For what holds with a database and without."""
    where = "memory" if request.param == "memory" else database(tmp_path)
    async with desk(where) as given:
        yield given


@pytest.mark.parametrize("is_kept", [True, False], ids=["kept", "memory"])
async def test_whose_sequence_it_is_is_told(is_kept: bool, tmp_path: Path) -> None:
    """The database's, or else each server has one of its own."""
    where = database(tmp_path) if is_kept else "memory"
    feeds: list[str] = []
    for _ in range(2):
        async with desk(where) as given:
            feeds += [(await given.get("/v1/alerts", limit=n))["feed"] for n in (1, 2)]
    assert all(feeds)
    assert feeds[0] == feeds[1]
    assert feeds[2] == feeds[3]
    assert (feeds[0] == feeds[2]) is is_kept


async def test_an_alert_is_told_with_its_evidence(server: Desk) -> None:
    alert_id = await server.alarming()
    answer = await server.client.get(f"/v1/alerts/{alert_id}")
    assert answer.headers["etag"] == '"1"'
    alert = answer.json()
    assert (alert["id"], alert["state"], alert["leg"]) == (alert_id, "new", "caller")
    assert alert["actions"] == ["ack", "assign", "escalate", "dismiss", "resolve"]
    evidence = alert["evidence"]
    assert evidence["segments"][0]["spoof_probability"] == pytest.approx(0.9933)
    assert [named["source"] for named in evidence["named"]] == ["system-0"]
    assert evidence["quality"] | {"codec": "PCMU", "loss_ratio": 0.0} == evidence["quality"]
    assert "of caller speech heard" in evidence["reason"]
    [event] = await server.feed()
    assert (event["type"], event["sequence"]) == ("alert.opened.v1", f"{1:020d}")
    assert (
        event["data"] | {name: alert[name] for name in alert if name in event["data"]}
        == (event["data"])
    )
    assert "streamtrace_alert_changes_total" in (await server.client.get("/metrics")).text


async def test_the_whole_life_of_an_alert_and_its_audit(either: Desk) -> None:
    alert_id = await either.alarming()
    steps: list[tuple[str, dict[str, Any], str]] = [
        ("assign", {"assignee": "ada"}, "new"),
        ("ack", {}, "acknowledged"),
        ("escalate", {"note": "to the bank"}, "escalated"),
        ("resolve", {"disposition": "true_positive", "note": "closed the account"}, "resolved"),
    ]
    for version, (action, body, state) in enumerate(steps, start=1):
        answer = await either.do(alert_id, action, version, **body)
        assert (answer.status_code, answer.json()["state"]) == (200, state)
        assert answer.headers["etag"] == f'"{version + 1}"'
    alert = await either.get(f"/v1/alerts/{alert_id}")
    assert (alert["assignee"], alert["disposition"]) == ("ada", "true_positive")
    assert alert["actions"] == []
    entries = (await either.get(f"/v1/alerts/{alert_id}/audit"))["entries"]
    assert [entry["version"] for entry in entries] == [1, 2, 3, 4, 5]
    assert [entry["action"] for entry in entries] == ["open", *(step[0] for step in steps)]
    assert [entry["actor"] for entry in entries] == ["policy", *["grace"] * 4]
    assert (entries[3]["before"], entries[3]["after"]) == ("acknowledged", "escalated")
    assert entries[3]["note"] == "to the bank"
    kinds = [event["type"].split(".")[1] for event in await either.feed()]
    assert kinds == ["opened", "updated", "updated", "updated", "closed"]


async def test_a_new_alert_decided_in_one_go_is_acknowledged_by_that(server: Desk) -> None:
    alert_id = await server.alarming()
    answer = await server.do(alert_id, "dismiss", 1, **DISMISSED)
    assert (answer.status_code, answer.json()["state"]) == (200, "dismissed")
    assert answer.headers["etag"] == '"3"'
    entries = (await server.get(f"/v1/alerts/{alert_id}/audit"))["entries"]
    assert [(e["action"], e["before"], e["after"]) for e in entries[1:]] == [
        ("ack", "new", "acknowledged"),
        ("dismiss", "acknowledged", "dismissed"),
    ]
    assert [event["data"]["version"] for event in await server.feed()] == [1, 2, 3]


async def test_what_is_refused_and_how(server: Desk) -> None:
    alert_id = await server.alarming()

    async def refused(status: int, words: str, *given: Any, **body: Any) -> None:
        answer = await server.do(*given, **body)
        assert (answer.status_code, words in answer.json()["detail"]) == (status, True), answer.text
        assert answer.headers["content-type"] == "application/problem+json"

    await refused(428, "If-Match", alert_id, "ack", None)
    await refused(404, "no such alert", "alert_0_caller", "ack", 1)
    await refused(412, "version 7 was changed meanwhile, it is 1", alert_id, "ack", 7)
    await refused(412, "version 0", alert_id, "ack", "of something else")
    await refused(422, "note", alert_id, "dismiss", 1, disposition="false_positive")
    await refused(422, "disposition", alert_id, "dismiss", 1, note="why not")
    await refused(422, "resolve it", alert_id, "dismiss", 1, **DISMISSED | {"disposition": TRUE})
    await refused(422, "assignee", alert_id, "assign", 1)
    await refused(422, "actor", alert_id, "ack", 1, actor="")
    await refused(422, "unknown", alert_id, "ack", 1, unknown=1)
    assert (await server.get(f"/v1/alerts/{alert_id}"))["version"] == 1
    assert (await server.do(alert_id, "ack", 1)).status_code == 200
    await refused(409, "cannot ack an alert that is acknowledged", alert_id, "ack", 2)
    assert (await server.do(alert_id, "dismiss", 2, **DISMISSED)).status_code == 200
    for action in ("ack", "assign", "escalate", "dismiss", "resolve"):
        await refused(409, "dismissed", alert_id, action, 3, assignee="ada", **DISMISSED)
    late = await server.do(alert_id, "ack", 1)
    assert (late.status_code, late.headers["etag"]) == (412, '"3"')
    assert (await server.client.get("/v1/alerts/alert_0_caller")).status_code == 404
    assert (await server.client.get("/v1/alerts/alert_0_caller/audit")).status_code == 404


async def test_of_many_at_once_one_is_first_and_the_others_are_told(either: Desk) -> None:
    alert_id = await either.alarming()
    answers = await asyncio.gather(
        *(either.do(alert_id, "ack", 1, actor=f"operator-{n}") for n in range(8)),
        *(either.do(alert_id, "dismiss", 1, actor=f"hasty-{n}", **DISMISSED) for n in range(8)),
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 15
    [winner] = [answer for answer in answers if answer.status_code == 200]
    now = await either.client.get(f"/v1/alerts/{alert_id}")
    assert now.json() == winner.json()
    for answer in answers:
        assert answer.headers["etag"] == now.headers["etag"]
    entries = (await either.get(f"/v1/alerts/{alert_id}/audit"))["entries"]
    assert [entry["version"] for entry in entries] == list(range(1, now.json()["version"] + 1))
    assert len({entry["actor"] for entry in entries[1:]}) == 1


async def test_alerts_are_listed_by_what_they_are(either: Desk) -> None:
    ids = [await either.alarming(line=line) for line in ("sales", "support", "sales")]
    await either.do(ids[0], "ack", 1)

    async def listed(**params: Any) -> list[str]:
        return [alert["id"] for alert in (await either.get("/v1/alerts", **params))["alerts"]]

    assert await listed() == ids[::-1]
    assert await listed(line="sales") == [ids[2], ids[0]]
    assert await listed(state="new") == [ids[2], ids[1]]
    assert await listed(state=["new", "acknowledged"], line="sales") == [ids[2], ids[0]]
    assert await listed(leg="callee") == []
    severity = (await either.get(f"/v1/alerts/{ids[0]}"))["severity"]
    assert ids[0] in await listed(severity=severity)
    call_id = (await either.get(f"/v1/alerts/{ids[1]}"))["call_id"]
    assert await listed(call_id=call_id) == [ids[1]]
    page = await either.get("/v1/alerts", limit=2)
    assert (page["next"], page["sequence"]) == (ids[1], f"{4:020d}")
    assert await listed(limit=2, after=page["next"]) == [ids[0]]
    assert (await either.client.get("/v1/alerts?state=odd")).status_code == 422


async def test_a_call_s_end_is_the_last_word_of_the_call_and_not_of_people(either: Desk) -> None:
    said = either.call()
    whole = scores.call([SYNTHETIC] * MINUTE)
    said.say(whole[:-1])
    await either.flushed()
    [alert] = (await either.get("/v1/alerts"))["alerts"]
    assert not alert["is_call_over"]
    stale = await either.do(alert["id"], "ack", alert["version"])
    said.say(whole[-1:])
    await either.flushed()
    now = await either.get(f"/v1/alerts/{alert['id']}")
    assert (now["is_call_over"], now["state"]) == (True, "acknowledged")
    assert (await either.do(alert["id"], "escalate", stale.json()["version"])).status_code == 412
    assert (await either.do(alert["id"], "escalate", now["version"])).status_code == 200


async def test_an_alert_that_fell_back_is_closed_by_policy_unless_somebody_has_it(
    server: Desk,
) -> None:
    fell = scores.call([SYNTHETIC] * 16 + [-6.0] * 2 * MINUTE)
    ids: list[str] = []
    for takes in (False, True):
        said = server.call()
        said.say(fell[:-1])
        await server.flushed()
        [alert] = (await server.get("/v1/alerts", call_id=said.live.id))["alerts"]
        assert alert["is_withdrawn"]
        if takes:
            assert (await server.do(alert["id"], "ack", alert["version"])).status_code == 200
        said.say(fell[-1:])
        await server.flushed()
        ids.append(alert["id"])
    states = [(await server.get(f"/v1/alerts/{each}"))["state"] for each in ids]
    assert states == ["resolved", "acknowledged"]
    closed = [e["subject"] for e in await server.feed() if e["type"] == "alert.closed.v1"]
    assert closed == [ids[0]]


async def test_the_policy_of_a_line_decides_who_alerts() -> None:
    alerts = {
        "lines": {
            "support": {"legs": ["caller", "callee"], "false_alarms_per_100_calls": 10},
            "hotline": {"enabled": False},
        }
    }
    async with desk("memory", alerts=alerts) as server:
        for line in ("sales", "support", "hotline"):
            for leg in (Leg.CALLER, Leg.CALLEE):
                said = server.call(line=line)
                said.say(scores.call([SYNTHETIC] * MINUTE, line=line, leg=leg))
        found = (await server.get("/v1/alerts"))["alerts"]
    assert {(alert["line"], alert["leg"], alert["policy"]) for alert in found} == {
        ("sales", "caller", "default"),
        ("support", "caller", "support"),
        ("support", "callee", "support"),
    }


async def test_a_policy_that_cannot_be_is_told_before_the_first_call() -> None:
    with pytest.raises(SettingsError, match=r"alerts\.lines\.support\.legs='agent'"):
        async with desk("memory", alerts={"lines": {"support": {"legs": ["agent"]}}}):
            pass
    assert Settings().alerts == {}


async def test_the_next_server_goes_on_and_concludes_what_it_finds(tmp_path: Path) -> None:
    async with desk(database(tmp_path)) as server:
        ids = [await server.alarming() for _ in range(3)]
        await server.do(ids[0], "ack", 1)
        before = await server.feed()
    async with desk(database(tmp_path)) as server:
        after = await server.feed()
        assert after[:4] == before
        assert [int(event["sequence"]) for event in after] == list(range(1, 8))
        assert [event["subject"] for event in after[4:]] == ids
        assert all(event["data"]["is_call_over"] for event in after[4:])
        assert (await server.do(ids[0], "escalate", 3)).status_code == 200
        assert (await server.do(ids[1], "ack", 1)).status_code == 412
        assert (await server.get(f"/v1/alerts/{ids[2]}"))["state"] == "new"
        entries = (await server.get(f"/v1/alerts/{ids[0]}/audit"))["entries"]
        assert [entry["action"] for entry in entries] == ["open", "ack", "update", "escalate"]


async def test_who_follows_too_slowly_is_sent_away_and_misses_nothing(tmp_path: Path) -> None:
    async with desk(database(tmp_path), subscriber_queue=8) as server:
        alert_id = await server.alarming()
        with server.state.desk.channel.reader() as reader:
            seen = await reader.next_events(1.0)
            assert await reader.next_events(0.0) == []  # it has caught up
            for version in range(1, 10):
                await server.do(alert_id, "assign", version, assignee="ada")
            with pytest.raises(SlowReader):
                await reader.next_events(1.0)
        with server.state.desk.channel.reader(seen[-1].number) as again:
            events = await again.next_events(1.0)
        assert [event.number for event in events] == list(range(2, 11))


async def test_routes_and_models_are_described(server: Desk) -> None:
    told = await server.get("/openapi.json")
    assert {"/v1/alerts", "/v1/alerts/{alert_id}", "/v1/alerts/{alert_id}/audit"} < set(
        told["paths"]
    )
    dismiss = told["paths"]["/v1/alerts/{alert_id}/dismiss"]["post"]
    assert {"200", "404", "409", "412", "422", "428", "503"} <= set(dismiss["responses"])
    assert {"AlertView", "AlertEvidence", "AlertDecision", "AuditView"} < set(
        told["components"]["schemas"]
    )
