"""One server for the tests of a module that do nothing to it, and servers of both layouts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.live_server import live_server


@pytest.fixture(params=[0, 2], ids=["one-process", "two-workers"])
def ingest_workers(request: pytest.FixtureRequest) -> int:
    """For tests that hold whatever takes calls in."""
    return int(request.param)


@pytest_asyncio.fixture(
    scope="module", loop_scope="module", params=[0, 2], ids=["one-process", "two-workers"]
)
async def shared_url(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """Its base URL. A task of its own holds the server, since fixtures begin and end in two."""
    url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    over = asyncio.Event()

    async def hold() -> None:
        async with live_server(
            feed_interval_s=0.05, heartbeat_s=0.2, ingest_workers=int(request.param)
        ) as at:
            url.set_result(at)
            await over.wait()

    holding = asyncio.create_task(hold())
    await asyncio.wait([holding, url], return_when=asyncio.FIRST_COMPLETED)
    yield url.result() if url.done() else str(holding.result())
    over.set()
    await holding
