"""A disk that is full amid calls: they go on, everybody is told, and it mends by itself."""

from __future__ import annotations

import asyncio
import json
import resource
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.live_server import live_server
from tests.server.peers import FRAME, closed_with, http, kinds, messages, place_pcm, ws


@contextmanager
def full_disk(folder: Path) -> Iterator[None]:
    """No file may grow: to SQLite that is an error of the disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    least = min(path.stat().st_size for path in folder.glob("events.db*") if path.suffix != ".lock")
    resource.setrlimit(resource.RLIMIT_FSIZE, (least, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def until(what: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while True:
            if await what():
                return
            await asyncio.sleep(0.02)


@pytest.mark.slow
async def test_calls_go_on_live_and_are_kept_when_there_is_room(tmp_path: Path) -> None:
    async with live_server(database=f"sqlite:///{tmp_path}/events.db") as url, http(url) as client:

        async def store() -> dict[str, str]:
            ready = await client.get("/readyz")
            assert ready.status_code == 200
            return ready.json()["store"]

        async def is_live_only() -> bool:
            return (await store())["status"] == "live_only"

        async def is_keeping() -> bool:
            return (await store())["status"] == "keeping"

        before = await place_pcm(url, "before", seconds=1)
        async with ws(url, "/v1/ingest/pcm?external_id=amid&events=1") as call:
            with full_disk(tmp_path):
                for _ in range(100):
                    await call.send(FRAME)
                score = json.loads(await call.recv())
                await until(is_live_only)
                assert "problem" in await store()
                assert "streamtrace_store_live_only 1.0" in await metrics(client)
                whole = await place_pcm(url, "whole", seconds=1)
                assert kinds(whole)[-1] == "ended"
                old = f"/v1/calls/{before[0]['subject']}/events"
                assert (await client.get(old)).json()["events"] == before
            await until(is_keeping)
            for _ in range(50):
                await call.send(FRAME)
            await call.close()
        async with ws(url, f"/v1/calls/{score['subject']}/events") as stream:
            amid = await messages(stream)
            assert (await closed_with(stream))[0] == 1000
        told = await metrics(client)
        assert "streamtrace_store_live_only 0.0" in told
        assert 'streamtrace_events_unkept_total{reason="live_only"}' in told
    async with live_server(database=f"sqlite:///{tmp_path}/events.db") as url, http(url) as client:
        for events in (before, amid, whole):
            answer = await client.get(f"/v1/calls/{events[0]['subject']}/events?limit=1000")
            assert answer.json()["events"] == events
            assert kinds(events)[-1] == "ended"


async def metrics(client: httpx.AsyncClient) -> str:
    return (await client.get("/metrics")).text
