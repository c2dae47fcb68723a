"""SIGTERM during ten live calls: ten final decisions, all delivered, and exit 0."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from asyncio.subprocess import PIPE
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from tests.live_server import live_server
from tests.server.peers import closed_with, finals, http, kinds, messages, refused_with, talk, ws

CALLS = 10


async def test_ten_live_calls_have_their_finals_when_the_server_is_told_to_go(
    tmp_path: Path, ingest_workers: int
) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "streamtrace", "serve", "--port", "0"),
        *("--ingest-workers", str(ingest_workers)),
        cwd=tmp_path,
        env={
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "STREAMTRACE_MAX_LOAD": "1000",
            "STREAMTRACE_DATABASE": f"sqlite:///{tmp_path}/events.db",
        },
        stdout=PIPE,
        stderr=PIPE,
    )
    assert process.stderr is not None
    assert process.stdout is not None
    try:
        url = (await process.stderr.readline()).decode().removeprefix("listening on ").strip()
        async with AsyncExitStack() as open_sockets:
            calls = [
                await open_sockets.enter_async_context(
                    ws(url, f"/v1/ingest/pcm?external_id=drain-{number}&events=1")
                )
                for number in range(CALLS)
            ]
            talking = [asyncio.create_task(talk(call)) for call in calls]
            feed = await open_sockets.enter_async_context(ws(url, "/v1/calls"))
            hearing = [asyncio.create_task(messages(call)) for call in calls]
            await asyncio.sleep(1.0)  # a second of talk each, at least for most
            live = await live_calls(url, CALLS)
            streams = [
                await open_sockets.enter_async_context(ws(url, f"/v1/calls/{call['id']}/events"))
                for call in live
            ]
            following = [asyncio.create_task(messages(stream)) for stream in streams]

            process.terminate()
            told_at = time.monotonic()
            heard = await asyncio.gather(*hearing)
            followed = await asyncio.gather(*following)
            assert [await closed_with(call) for call in calls] == [(1012, "drained")] * CALLS
            assert {(await closed_with(stream))[0] for stream in streams} == {1000}
            assert (await closed_with(feed))[0] == 1012
            await asyncio.gather(*talking, return_exceptions=True)
        assert await process.wait() == 0
        assert time.monotonic() - told_at < 10
    finally:
        if process.returncode is None:
            process.kill()
        logged = (await process.stderr.read()).decode()
        said = await process.stdout.read()
    for events in [*heard, *followed]:
        assert kinds(events)[-1] == "ended"
        assert events[-1]["data"]["reason"] == "drained"
        assert len(finals(events)) == 1
    assert said == b""
    lines = [json.loads(line) for line in logged.splitlines()]
    assert sum(line["event"] == "call ended" for line in lines) == CALLS
    assert [line for line in lines if line["level"] != "info"] == []


async def live_calls(url: str, wanted: int) -> list[dict[str, Any]]:
    async with http(url) as client, asyncio.timeout(20):
        while True:
            calls = (await client.get("/v1/calls?state=live")).json()["calls"]
            if len(calls) == wanted:
                return calls
            await asyncio.sleep(0.05)


async def test_a_draining_server_takes_nobody(ingest_workers: int) -> None:
    leaving = asyncio.Event()

    async def hold(url: asyncio.Future[str]) -> None:
        # It ends as soon as the last stream has.
        async with live_server(drain_s=20, ingest_workers=ingest_workers) as at:
            url.set_result(at)
            await leaving.wait()

    at: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    holding = asyncio.create_task(hold(at))
    url = await at
    async with ws(url, "/v1/ingest/twilio"):  # connected, never begins: the drain waits for it
        leaving.set()
        await asyncio.sleep(0.05)
        refused = await refused_with(url, "/v1/ingest/pcm")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
        async with http(url) as client:
            assert (await client.get("/readyz")).status_code == 503
            assert (await client.get("/livez")).status_code == 200
    await holding
