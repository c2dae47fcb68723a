"""Calls over REST: announced, listed, looked up, paged through."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from tests.live_server import live_server
from tests.server.peers import all_events, finals, http, place_pcm, refused_with, ws

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_call_is_listed_and_looked_up(shared_url: str) -> None:
    events = await place_pcm(shared_url, "list-1")
    async with http(shared_url) as client:
        listed = (await client.get("/v1/calls", params={"external_id": "list-1"})).json()
        [call] = listed["calls"]
        assert (await client.get(f"/v1/calls/{call['id']}")).json() == call
    assert call["id"] == events[0]["subject"]
    assert (call["state"], call["reason"], call["protocol"]) == ("ended", "hung_up", "pcm")
    assert call["started"] < call["ended"]
    [leg] = call["legs"]
    assert (leg["leg"], leg["codec"], leg["rate_hz"]) == ("caller", "L16", 16_000)
    assert leg["decision"] == finals(events)[0]["data"]


async def test_lists_are_newest_first_filtered_and_paged(shared_url: str) -> None:
    for number in range(3):
        await place_pcm(shared_url, f"page-{number}", seconds=0.1)
    async with http(shared_url) as client:
        first = (await client.get("/v1/calls?limit=2&state=ended")).json()
        assert [call["external_id"] for call in first["calls"]] == ["page-2", "page-1"]
        second = (await client.get(f"/v1/calls?limit=1&after={first['next']}")).json()
        assert second["calls"][0]["external_id"] == "page-0"
        assert (await client.get("/v1/calls?state=live")).json() == {"calls": [], "next": None}


async def test_events_page_by_page(shared_url: str) -> None:
    events = await place_pcm(shared_url, "events-1")
    path = f"/v1/calls/{events[0]['subject']}/events"
    got: list[object] = []
    after = "0"
    async with http(shared_url) as client:
        while after is not None:
            page = (await client.get(path, params={"after": after, "limit": 2})).json()
            assert len(page["events"]) <= 2
            got += page["events"]
            after = page["next"]
        beyond = (await client.get(path, params={"after": 10**6})).json()
    assert got == events
    assert beyond == {"events": [], "next": None}


async def test_an_announced_call_is_the_one_that_comes(shared_url: str) -> None:
    async with http(shared_url) as client:
        answer = await client.post("/v1/calls", json={"external_id": "soon", "line": "sales"})
        assert answer.status_code == 201
        call = answer.json()
        assert answer.headers["location"] == f"/v1/calls/{call['id']}"
        assert (call["state"], call["legs"]) == ("announced", [])
        again = await client.post("/v1/calls", json={"external_id": "soon"})
        assert (again.status_code, again.headers["content-type"]) == (409, PROBLEM)
        async with ws(shared_url, f"/v1/calls/{call['id']}/events") as early:
            await place_pcm(shared_url, "soon", seconds=0.1)
            first = json.loads(await early.recv())
    assert first["subject"] == call["id"]
    assert first["data"]["line"] == "sales"


async def test_an_announced_call_that_never_comes_is_forgotten() -> None:
    async with live_server(announced_s=0.05) as url, http(url) as client:
        call = (await client.post("/v1/calls", json={"external_id": "never"})).json()
        async with ws(url, f"/v1/calls/{call['id']}/events") as waiting:
            await waiting.wait_closed()
            assert waiting.close_code == 1000
        assert (await client.get(f"/v1/calls/{call['id']}")).status_code == 404
        assert (await client.post("/v1/calls", json={"external_id": "never"})).status_code == 201


async def test_old_calls_are_let_go() -> None:
    async with live_server(ended_calls_kept=1) as url, http(url) as client:
        first = (await place_pcm(url, "one", seconds=0.1))[0]["subject"]
        await place_pcm(url, "two", seconds=0.1)
        assert (await client.get(f"/v1/calls/{first}")).status_code == 404
        assert len((await client.get("/v1/calls")).json()["calls"]) == 1


async def test_a_long_call_keeps_its_newest_events_and_says_so() -> None:
    async with live_server(events_kept_per_call=16) as url, http(url) as client:
        await place_pcm(url, "long", seconds=0.1)
        async with ws(url, "/v1/ingest/pcm?external_id=long2&rate=8000") as socket:
            for _ in range(24):
                await socket.send(bytes(8_000))
        events = await all_events(url, "long2")
        path = f"/v1/calls/{events[-1]['subject']}/events?limit=1000"
        page = (await client.get(path)).json()["events"]
    assert page[0]["type"] == "stream.gap.v1"
    assert page[0]["data"]["from"] == "1".zfill(20)
    assert len(page) == 17
    assert page[-1]["type"] == "call.ended.v1"


PROBLEM = "application/problem+json"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/calls/call_0", 404),
        ("/v1/calls/call_0/events", 404),
        ("/v1/nothing", 404),
        ("/v1/calls?limit=0", 422),
        ("/v1/calls?limit=many", 422),
        ("/v1/calls?state=odd", 422),
    ],
)
async def test_refusals(path: str, status: int, shared_url: str) -> None:
    async with http(shared_url) as client:
        answer = await client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM)
    body = answer.json()
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]


async def test_refusals_of_announcements_do_not_repeat_what_was_sent(shared_url: str) -> None:
    async with http(shared_url) as client:
        for body in ({"external_id": ""}, {"external_id": "x", "number": "+4930"}, {}, []):
            answer = await client.post("/v1/calls", json=body)
            assert (answer.status_code, answer.headers["content-type"]) == (422, PROBLEM)
            assert "+4930" not in answer.text


@pytest.mark.parametrize("name", ["external_id", "line"])
@pytest.mark.parametrize("text", ["sales\0", "a\x1b[2J", "a\nb", "\u202egro.live"])
async def test_an_announcement_wants_names_that_can_be_printed(
    name: str, text: str, shared_url: str
) -> None:
    async with http(shared_url) as client:
        answer = await client.post("/v1/calls", json={"external_id": "print", name: text})
        assert (answer.status_code, answer.headers["content-type"]) == (422, PROBLEM)
        assert answer.json()["detail"] == f"body.{name}: want printable characters"


async def test_a_body_that_is_too_large(shared_url: str) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 1024

    async with http(shared_url) as client:
        headers = {"content-type": "application/json"}
        answer = await client.post("/v1/calls", content=endless(), headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (413, PROBLEM)


async def test_a_wrong_cursor(shared_url: str) -> None:
    call_id = (await place_pcm(shared_url, "cursor", seconds=0.1))[0]["subject"]
    async with http(shared_url) as client:
        for after in ("-1", "x", "9" * 21):
            answer = await client.get(f"/v1/calls/{call_id}/events", params={"after": after})
            assert answer.status_code == 422
    refused = await refused_with(shared_url, f"/v1/calls/{call_id}/events?after=x")
    assert (refused.status_code, refused.headers["content-type"]) == (422, PROBLEM)
