"""Genesys AudioHook with keys, on a full server and through a drain, in both layouts."""

from __future__ import annotations

import asyncio
import os
import time

import pytest
from pydantic import SecretStr

from streamtrace.clients.audiohook import request_headers
from streamtrace.clients.place import place_call
from streamtrace.errors import CallFailed
from tests.builders import tone
from tests.live_server import live_server
from tests.protocols.audiohook_messages import ORGANIZATION, SESSION
from tests.server.audiohook_peer import PATH, Session
from tests.server.peers import http, ws
from tests.workers.processes import holder, workers_of

KEY, SECRET = "a key", "c2VjcmV0LXNlY3JldC1zZWNyZXQ="
SECOND = tone(16_000)


@pytest.mark.parametrize("ingest_workers", [0, 1])  # one is enough to be another process
async def test_keys_a_full_server_and_a_drain(
    ingest_workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = {KEY: SecretStr(SECRET), "bare": SecretStr("")}
    async with live_server(audiohook_keys=keys, ingest_workers=ingest_workers, slots=1) as url:
        monkeypatch.setenv("AUDIOHOOK_API_KEY", KEY)
        monkeypatch.setenv("AUDIOHOOK_CLIENT_SECRET", SECRET)
        await place_call(url, SECOND, protocol="audiohook", external_id="signed", pace=0)
        with pytest.raises(CallFailed, match="503: all 1 encoder slots are lent"):
            await place_call(
                url, SECOND, callee=SECOND, protocol="audiohook", external_id="two legs", pace=2
            )
        monkeypatch.setenv("AUDIOHOOK_CLIENT_SECRET", "d3Jvbmc=")
        with pytest.raises(CallFailed, match="the server disconnected, unauthorized"):
            await place_call(url, SECOND, protocol="audiohook", external_id="forged")
        async with http(url) as client:
            calls = (await client.get("/v1/calls")).json()["calls"]
        assert {call["external_id"] for call in calls} == {"signed", "two legs"}

        bare = {"X-API-KEY": "bare"}
        session = Session(await ws(url, PATH + "?events=1", additional_headers=bare))
        await session.opens("drained")
        await session.speaks(1.0)
        assert (await session.hears())["type"] == "event"  # its scores are being followed
        hearing = asyncio.create_task(last_words(session))
    # The server has drained on the way out, and has waited for what the client says to it.
    scores, ended, disconnected, closed = await hearing
    assert scores == ["call.score.v1"] * len(scores)
    assert (ended, disconnected, closed) == ("call.ended.v1", "completed", "closed")


@pytest.mark.parametrize("ingest_workers", [0, 2])
async def test_a_request_that_is_played_again_is_let_in_by_no_process(
    ingest_workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUDIOHOOK_API_KEY", KEY)
    monkeypatch.setenv("AUDIOHOOK_CLIENT_SECRET", SECRET)
    keys = {KEY: SecretStr(SECRET)}
    async with live_server(audiohook_keys=keys, ingest_workers=ingest_workers) as url:
        processes = workers_of(os.getpid()) or [os.getpid()]
        takers: list[tuple[int | None, int | None]] = []  # of a request, and of its replay
        async with asyncio.timeout(60):
            while not takers or (ingest_workers and all(one == other for one, other in takers)):
                headers = request_headers(url + PATH, SESSION, ORGANIZATION, now_s=time.time())
                async with ws(url, PATH, additional_headers=headers) as socket:
                    assert (await Session(socket).opens("played once"))["type"] == "opened"
                    first = holder(processes, socket.local_address[1])
                    async with ws(url, PATH, additional_headers=headers) as again:
                        takers.append((first, holder(processes, again.local_address[1])))
                        told = await Session(again).hears()
                    assert told["parameters"]["reason"] == "unauthorized"
        async with http(url) as client:
            metrics = (await client.get("/metrics")).text
    assert f'calls_rejected_total{{reason="replayed"}} {len(takers)}.0' in metrics


async def last_words(session: Session) -> tuple[list[str], str, str, str]:
    """The entities up to the end, why the server disconnects, and its answer to our `close`."""
    entities: list[str] = []
    while (told := await session.hears())["type"] == "event":
        entities += [entity["type"] for entity in told["parameters"]["entities"]]
    *_, closed = await session.closes("disconnect")
    await session.socket.close()
    *scores, ended = entities
    return scores, ended, told["parameters"]["reason"], closed["type"]
