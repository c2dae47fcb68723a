"""The programs in deploy/examples, as they stand there, against a real server and a call."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from streamtrace.client import Client
from streamtrace.events.alerts import AlertState
from tests.client.speaking import MILD, speak
from tests.live_server import live_server
from tests.server.peers import ws

EXAMPLES = Path(__file__).parents[1] / "deploy" / "examples"
SEVERE_AT_ONCE = {"severity": {"medium": 24.9, "high": 24.8, "critical": 24.7}}


def example(name: str) -> Callable[..., Awaitable[None]]:
    """The `main` of a program."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Callable[[str], Awaitable[str]]:
    """Waits until a text was printed; all that was."""
    heard: list[str] = []

    async def until(text: str) -> str:
        async with asyncio.timeout(20):
            while text not in "".join(heard):
                await asyncio.sleep(0.01)
                heard.append(capsys.readouterr().out)
        return "".join(heard)

    return until


@asynccontextmanager
async def running(main: Awaitable[None]) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.ensure_future(main)
    yield task
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def call(url: str, external_id: str) -> None:
    async with ws(url, f"/v1/ingest/pcm?external_id={external_id}") as socket:
        await speak(socket)


async def test_alerts_are_paged_exported_and_hung_up_on(
    printed: Callable[[str], Awaitable[str]],
) -> None:
    async with (
        live_server(alerts=MILD | SEVERE_AT_ONCE, ring_ms=60_000) as url,
        Client(url) as client,
        running(example("page_on_alert")(url, "ada")),
        running(example("hang_up")(url)),
        running(example("follow_call")(url, "CA1")) as following,
    ):
        await printed("expecting CA1 as call_")
        await call(url, "CA1")
        await following
        told = await printed("ended: hung_up")
        assert "caller: synthetic after" in told
        told = await printed("PAGE ada: CA1: ")
        told = await printed("/Calls/CA1.json Status=completed")
        assert told.count("POST") == 1
        assert [one.state for one in (await client.list_alerts()).alerts] == [
            AlertState.ACKNOWLEDGED
        ]
        await call(url, "CA2")
        await printed("PAGE ada: CA2: ")
        await example("export_alerts")(url)
        told = await printed('"external_id":"CA1"')
    lines = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
    assert [line["external_id"] for line in lines] == ["CA2", "CA1"]


def test_every_example_is_in_the_index() -> None:
    index = (EXAMPLES / "README.md").read_text()
    assert [path.name for path in EXAMPLES.glob("*.py") if f"({path.name})" not in index] == []
