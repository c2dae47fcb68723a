"""Genesys AudioHook against a real server: its sessions, its faults, its keys and its drain."""

from __future__ import annotations

from typing import Any

import pytest

from streamtrace.clients.damage import LineDamage
from streamtrace.clients.place import place_call
from tests.builders import tone
from tests.server.audiohook_peer import connected
from tests.server.peers import all_events, closed_with, finals, http

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    # With ingest workers the same doors run; `test_audiohook_keys.py` has both layouts.
    pytest.mark.parametrize("shared_url", [0], indirect=True, ids=["one-process"], scope="module"),
]


async def test_a_session_with_a_pause_and_scores_on_the_same_socket(shared_url: str) -> None:
    async with connected(shared_url, "?events=1&line=front") as session:
        assert (await session.opens("pausing"))["type"] == "opened"
        await session.speaks(1.0)
        await session.says("ping")
        told = [await session.hears()]
        await session.says("paused")
        session.client.position = 3.0
        await session.says("resumed", {"start": "PT1S", "discarded": "PT2S"})
        await session.speaks(1.0)
        told += await session.closes()
    kinds_told = [one["type"] for one in told]
    assert kinds_told[-1] == "closed"
    assert kinds_told.count("pong") == 1
    entities = [entity for one in told for entity in one["parameters"].get("entities", [])]
    assert [entity["type"] for entity in entities][-1] == "call.ended.v1"
    assert len(finals([entity["data"] for entity in entities])) == 1
    events = await all_events(shared_url, "pausing")
    [gap] = [event["data"] for event in events if event["type"] == "call.gap.v1"]
    assert (gap["start_ms"], gap["end_ms"], gap["cause"]) == (1000, 3000, "paused")
    [final] = finals(events)
    assert final["data"]["duration_ms"] == 4000
    assert final["data"]["quality"]["loss_ratio"] == 0
    assert (events[0]["data"]["line"], events[0]["data"]["protocol"]) == ("front", "audiohook")
    assert events[-1]["data"]["reason"] == "hung_up"


async def test_a_placed_call_of_two_parties_with_discarded_audio(shared_url: str) -> None:
    damage = LineDamage(loss_percent=20, seed=3)
    placed = await place_call(
        shared_url,
        tone(4 * 16_000),
        callee=tone(2 * 16_000),
        protocol="audiohook",
        external_id="placed",
        pace=0,
        damage=damage,
    )
    assert placed.codec == "pcmu"
    events = await all_events(shared_url, "placed")
    assert [event["data"]["leg"] for event in finals(events)] == ["caller", "callee"]
    gaps = [event["data"] for event in events if event["type"] == "call.gap.v1"]
    assert {gap["cause"] for gap in gaps} == {"discarded"}
    assert all((gap["end_ms"] - gap["start_ms"]) % 200 == 0 for gap in gaps)


async def test_a_probe_leaves_no_call(shared_url: str) -> None:
    async with http(shared_url) as client:
        before = (await client.get("/v1/calls?limit=1")).json()
        async with connected(shared_url) as session:
            await session.socket.send(session.client.probes())
            opened = await session.hears()
            assert (opened["type"], opened["parameters"]["media"]) == ("opened", [])
            assert [one["type"] for one in await session.closes()] == ["closed"]
            await session.socket.close()
        assert (await client.get("/v1/calls?limit=1")).json() == before


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (lambda client: client.opens(), 409),
        (lambda client: client.says("ping", seq=7), 400),
        (lambda client: client.says("sing"), 405),
        (lambda client: b"odd" * 70_000, None),  # more than the server takes: no word is left
    ],
)
async def test_a_fault_is_told_and_has_its_last_event_and_harms_no_other(
    wrong: Any, code: int | None, shared_url: str, request: pytest.FixtureRequest
) -> None:
    name = request.node.name
    async with connected(shared_url) as other, connected(shared_url) as session:
        await other.opens(f"other {name}")
        await session.opens(name)
        await session.speaks(0.6)
        await session.socket.send(wrong(session.client))
        if code is None:
            assert (await closed_with(session.socket))[0] == 1009
        else:
            told = await session.hears()
            assert (told["type"], told["parameters"]["reason"]) == ("disconnect", "error")
            assert told["parameters"]["info"].startswith(f"{code}: ")
            assert [one["type"] for one in await session.closes("disconnect")] == ["closed"]
        events = await all_events(shared_url, name)
        await other.says("ping")
        assert (await other.hears())["type"] == "pong"
        await other.closes()
    assert events[-1]["data"]["reason"] == "protocol_error"
    assert (code is None) or str(code) in events[-1]["data"]["error"]
    assert len(finals(events)) == 1


async def test_a_client_that_vanishes(shared_url: str) -> None:
    async with connected(shared_url) as session:
        await session.opens("vanishing")
        await session.speaks(0.6)
        session.socket.transport.abort()
        events = await all_events(shared_url, "vanishing")
    assert events[-1]["data"]["reason"] == "source_lost"
    assert len(finals(events)) == 1
