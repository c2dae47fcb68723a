"""Several processes are one server: sessions, streams and refusals through any of them."""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack
from urllib.parse import urljoin

import httpx
import pytest
from pydantic import SecretStr
from websockets.asyncio.client import ClientConnection

from streamtrace.clients.follow import follow_call
from streamtrace.server.listening import listen
from streamtrace.settings import Settings
from streamtrace.workers.pool import WorkersFailed
from streamtrace.workers.serving import serve_until
from tests.builders import tone
from tests.callers import caller
from tests.live_server import live_server
from tests.sdp import OFFER
from tests.server.peers import (
    FRAME,
    all_events,
    closed_with,
    finals,
    http,
    kinds,
    refused_with,
    talk,
    ws,
)
from tests.workers.processes import holder, workers_of

SDP = {"content-type": "application/sdp"}
FRAGMENT = {"content-type": "application/trickle-ice-sdpfrag"}


def worker_of(answer: httpx.Response) -> str:
    """Which worker has the session, as its URL says."""
    return answer.headers["location"].rsplit("/")[-1].partition("-")[0]


async def test_a_session_is_found_through_the_wrong_worker() -> None:
    async with live_server(ingest_workers=2) as url, AsyncExitStack() as stack:
        calling = await stack.enter_async_context(caller(tone(9 * 16_000), "opus"))
        owner = await stack.enter_async_context(http(url))
        offer = await calling.offer()
        late = [line for line in offer.splitlines() if line.startswith("a=candidate")]
        early = "".join(f"{line}\r\n" for line in offer.splitlines() if line not in late)
        posted = await owner.post("/whip/front%20desk?external_id=W", content=early, headers=SDP)
        session, etag = urljoin(url, posted.headers["location"]), posted.headers["etag"]

        # A connection stays with the worker that accepted it: open some until it is the other one.
        async with asyncio.timeout(20):
            while True:
                other = await stack.enter_async_context(http(url))
                own = await other.post("/whip/demo", content=OFFER, headers=SDP)
                assert (await other.delete(own.headers["location"])).status_code == 200
                if worker_of(own) != worker_of(posted):
                    break

        body = "\r\n".join(late)
        match = FRAGMENT | {"if-match": etag}
        assert (await other.get(session)).status_code == 204
        patched = await other.patch(session, content=body, headers=match)
        assert (patched.status_code, patched.content) == (204, b"")
        assert patched.headers["access-control-allow-origin"] == "*"
        assert len(patched.headers.get_list("date")) == 1
        assert (await other.patch(session, content=body, headers=FRAGMENT)).status_code == 428
        wrong = await other.patch(session, content="nonsense", headers=match)
        assert (wrong.status_code, wrong.headers["content-type"]) == (
            400,
            "application/problem+json",
        )
        await calling.accept(posted.text)
        await calling.connected(within_s=10)
        await asyncio.sleep(0.6)
        assert (await other.delete(session)).status_code == 200
        assert (await other.delete(session)).status_code == 404
        for nobody in ("7-token", "1-token", "99-x", "token"):
            assert (await other.get(f"/whip/demo/{nobody}")).status_code == 404
        events = await all_events(url, "W")
    assert events[0]["data"]["line"] == "front desk"
    assert events[-1]["data"]["reason"] == "hung_up"
    assert len(finals(events)) == 1


async def test_events_are_streamed_as_they_come_and_answers_stay_as_they_are() -> None:
    token = {"authorization": "Bearer open-sesame"}  # the workers ask for it
    locked = live_server(ingest_workers=2, ingest_token=SecretStr("open-sesame"))
    async with locked as url, http(url) as client:
        assert (await refused_with(url, "/v1/ingest/pcm")).status_code == 401
        async with ws(url, "/v1/ingest/pcm?external_id=S", additional_headers=token) as call:
            await call.send(FRAME)
            async for first in follow_call(url, "S"):
                path = f"/v1/calls/{first['subject']}/events"
                break
            headers = {"accept": "text/event-stream"}
            async with client.stream("GET", path, headers=headers) as stream:
                lines = stream.aiter_lines()
                assert [await anext(lines) for _ in range(2)][1] == "event: call.started.v1"
                await call.close()
                said = [line async for line in lines if line.startswith("event: ")]
        assert said[-1] == "event: call.ended.v1"

        moved = await client.get("/v1/calls/?limit=1")
        assert (moved.status_code, moved.headers["location"]) == (307, f"{url}/v1/calls?limit=1")
        large = await client.post("/v1/calls", content=b"x" * 70_000)
        assert large.status_code == 413
        page = await client.get("/", headers={"accept-encoding": "identity"})
        names = [name for name, _ in page.headers.multi_items()]
        assert len(names) == len(set(names))
        assert (await client.head("/livez")).status_code == 405
        assert (await client.get("/v1/calls/%zz%20%C3%A9")).status_code == 404
        assert (await client.get("/whip")).status_code == 404


async def test_a_killed_worker_takes_its_own_calls_along_and_no_seat() -> None:
    async with (
        live_server(ingest_workers=2, max_calls=24) as url,
        http(url) as client,
        AsyncExitStack() as stack,
    ):
        first, second = workers_of(os.getpid())
        calls: dict[int, list[tuple[str, ClientConnection]]] = {first: [], second: []}
        for number in range(16):
            path = f"/v1/ingest/pcm?external_id=k{number}"
            call = await stack.enter_async_context(ws(url, path))
            pid = holder([first, second], call.local_address[1])
            assert pid is not None
            calls[pid].append((f"k{number}", call))
            if all(len(some) >= 2 for some in calls.values()):
                break
        never_begun = calls[first].pop()[1]  # a seat, and no call
        talking = [asyncio.create_task(talk(call)) for some in calls.values() for _, call in some]
        for name, _ in [*calls[first], *calls[second]]:
            async for event in follow_call(url, name):
                if event["type"] == "call.score.v1":
                    break
        os.kill(first, 9)
        for name, call in calls[first]:
            assert (await closed_with(call))[0] == 1006
            events = await all_events(url, name)
            assert kinds(events)[-2:] == ["score", "ended"]
            assert events[-1]["data"]["reason"] == "source_lost"
            assert len(finals(events)) == 1
        await closed_with(never_begun)
        for task in talking:
            task.cancel()
        await asyncio.gather(*talking, return_exceptions=True)
        for name, call in calls[second]:
            await call.close()
            events = await all_events(url, name)
            assert events[-1]["data"]["reason"] == "hung_up"
            assert "gap" not in kinds(events)

        async with asyncio.timeout(20):  # all 24 can be taken again
            for number in range(24):
                announced = await client.post("/v1/calls", json={"external_id": f"a{number}"})
                assert announced.status_code == 201
        full = await client.post("/v1/calls", json={"external_id": "one too many"})
        assert full.status_code == 503

        async with asyncio.timeout(30):  # a new one comes in its place, and takes connections
            while len(accepted_by := await acceptors(url)) < 2:
                pass
        assert accepted_by == set(workers_of(os.getpid()))
        assert first not in accepted_by


async def acceptors(url: str) -> set[int | None]:
    """Which of the present workers take a few new connections."""
    found: set[int | None] = set()
    for _ in range(8):
        async with ws(url, "/v1/calls") as feed:
            found.add(holder(workers_of(os.getpid()), feed.local_address[1]))
    return found


async def test_workers_that_cannot_listen_are_told_at_once(
    capfd: pytest.CaptureFixture[str],
) -> None:
    settings = Settings(ingest_workers=1, slots=4)
    with listen("127.0.0.1", 0) as taken, pytest.raises(WorkersFailed, match="before it was ready"):
        await serve_until(asyncio.Event(), settings, taken, on_ready=print)
    output = capfd.readouterr()
    assert "streamtrace: ingest worker: cannot listen on 127.0.0.1:" in output.err
    assert "in use" in output.err
    assert "Traceback" not in output.err
