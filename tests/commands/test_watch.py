"""`streamtrace watch` against a real server: the picture, its keys, and plain lines elsewhere."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import DataTable, Input, Static
from websockets.asyncio.server import ServerConnection

from streamtrace.client import Backoff, Client
from streamtrace.commands.watch import logged_in
from streamtrace.commands.watch_follow import Following
from streamtrace.commands.watch_picture import Picture
from streamtrace.commands.watch_screen import Watch
from streamtrace.events.alert_wire import feed_gap
from streamtrace.events.alerts import AlertState, Disposition
from tests.client.speaking import MILD, speak
from tests.clients.fake_server import fake_server
from tests.commands.cli import RunCli
from tests.live_server import live_server
from tests.server.peers import place_pcm, ws

SERVER = {"alerts": MILD, "ring_ms": 60_000, "feed_interval_s": 0.05}
LISTS: dict[str, object] = {
    "/v1/calls": {"calls": [], "next": None},
    "/v1/alerts": {"alerts": [], "next": None, "sequence": f"{0:020d}", "feed": "f"},
}


async def unheard(socket: ServerConnection) -> None:
    """Whoever comes is refused before."""


def texts(watch: Watch, table: str) -> list[list[str]]:
    """A table as it stands there."""
    of = watch.screen_stack[0].query_one(f"#{table}", DataTable)
    return [[str(cell) for cell in of.get_row_at(row)] for row in range(of.row_count)]


async def until(pilot: Pilot[int], holds: Callable[[], object]) -> None:
    """The screen draws what has come meanwhile."""
    async with asyncio.timeout(20):
        while not holds():
            await pilot.pause(0.02)
            pilot.app.redraw()  # type: ignore[attr-defined]


@asynccontextmanager
async def watched(client: Client, width: int = 140) -> AsyncIterator[tuple[Watch, Pilot[int]]]:
    watch = Watch(client, "ada")
    async with watch.run_test(size=(width, 30)) as pilot:
        yield watch, pilot


async def test_calls_and_alerts_are_there_and_worked_by_keys() -> None:
    async with (
        live_server(**SERVER) as url,
        Client(url) as client,
        ws(url, "/v1/ingest/pcm?external_id=one&line=support") as one,
        ws(url, "/v1/ingest/pcm?external_id=two") as two,
        watched(client) as (watch, pilot),
    ):
        await asyncio.gather(speak(one), speak(two))
        await until(pilot, lambda: len(texts(watch, "alerts")) == 2)
        await until(pilot, lambda: all("%" in row[5] for row in texts(watch, "calls")))
        assert {row[0] for row in texts(watch, "calls")} == {"one", "two"}
        assert "support" in {row[1] for row in texts(watch, "calls")}
        first, second = texts(watch, "alerts")
        assert first[1] == second[1] == "new"
        assert "2 alerts open, 2 new" in str(watch.query_one("#summary", Static).render())
        await pilot.press("j", "a")
        await until(pilot, lambda: [r[1] for r in texts(watch, "alerts")].count("new") == 1)
        by_call = {row[2]: row[1] for row in texts(watch, "alerts")}
        assert by_call == {first[2]: "new", second[2]: "acknowledged"}
        await pilot.press("k", "d")
        await until(pilot, lambda: watch.screen is not watch.screen_stack[0])
        await pilot.press("down", "down", "enter")
        watch.screen.query_one(Input).value = "a voice aid"
        await pilot.press("enter")
        await until(pilot, lambda: len(texts(watch, "alerts")) == 1)
        await pilot.press("e")
        await until(pilot, lambda: texts(watch, "alerts")[0][1] == "escalated")
        closed = (await client.list_alerts(states=[AlertState.DISMISSED])).alerts[0]
        assert (closed.external_id, closed.note) == (first[2], "a voice aid")
        assert closed.disposition is Disposition.BENIGN_SYNTHETIC
        entries = (await client.audit(closed.id)).entries
        assert {entry.actor for entry in entries} == {"policy", "ada"}
        await pilot.press("q")
    assert watch.return_value == 0


async def test_a_server_that_goes_leaves_a_banner_and_comes_back(tmp_path: object) -> None:
    """On the same port, narrow, and with a call of before."""
    async with live_server(**SERVER, database=f"sqlite:///{tmp_path}/kept.db") as url:
        await place_pcm(url, "before")
        client = Client(url, backoff=Backoff(first_s=0.01, most_s=0.02))
        watch = Watch(client, "ada")
        running = watch.run_test(size=(34, 16))
        pilot = await running.__aenter__()
        await until(pilot, lambda: texts(watch, "calls"))
        assert [len(row) for row in texts(watch, "calls")] == [3]
        await until(pilot, lambda: not watch.query_one("#trouble").display)  # alerts too
    await until(pilot, lambda: watch.query_one("#trouble").display)
    assert "STALE" in str(watch.query_one("#trouble", Static).render())
    assert texts(watch, "calls")  # what was known stays
    await pilot.press("ctrl+c")
    await running.__aexit__(None, None, None)
    await client.__aexit__()
    assert watch.return_value == 130


async def test_lines_of_json_where_nobody_looks_and_130_when_interrupted() -> None:
    async with live_server(**SERVER) as url:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "streamtrace", "watch", url),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=os.environ | {"NO_COLOR": "1"},
        )
        assert process.stdout is not None
        assert process.stderr is not None
        async with asyncio.timeout(60):
            told = [json.loads(await process.stdout.readline())]
            assert told == [{"calls": []}]
            async with ws(url, "/v1/ingest/pcm?external_id=fake") as call:
                await speak(call)
                while not (is_called(told) and any(is_alert(one) for one in told)):
                    told.append(json.loads(await process.stdout.readline()))
            process.send_signal(signal.SIGINT)
            said = await process.stderr.read()
            assert await process.wait() == 130
    assert said == b""


def is_alert(one: dict[str, Any]) -> bool:
    return one.get("type") == "alert.opened.v1"


def is_called(told: list[dict[str, Any]]) -> bool:
    return any(call["external_id"] == "fake" for one in told for call in one.get("calls", []))


async def test_one_call_is_followed_to_its_end(run_cli: RunCli) -> None:
    async with live_server(**SERVER) as url:
        events = await place_pcm(url, "mine")
        for name in ("mine", events[0]["subject"]):
            outcome = await asyncio.to_thread(run_cli, "watch", url, "--calls", name)
            assert (outcome.code, outcome.lines) == (0, events)
        outcome = await asyncio.to_thread(run_cli, "watch", url, "--calls", "nobody")
    assert (outcome.code, outcome.out) == (1, "")
    assert "no such call" in outcome.err


async def test_a_server_that_refuses_is_told_in_one_line(run_cli: RunCli) -> None:
    """As one that was started anew and wants tokens now."""
    async with fake_server(
        unheard, LISTS, refuse=lambda _path, is_socket: 401 if is_socket else None
    ) as url:
        outcome = await asyncio.to_thread(run_cli, "watch", url)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err == "streamtrace: the server said no (HTTP 401)\n"


async def test_nothing_is_said_where_nobody_reads_any_more() -> None:
    """As behind `head`, once it has what it wants."""
    reading, writing = os.pipe()
    async with live_server(**SERVER) as url:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "streamtrace", "watch", url),
            stdout=writing,
            stderr=asyncio.subprocess.PIPE,
        )
        os.close(writing)
        first = await asyncio.to_thread(os.read, reading, 1_000)
        os.close(reading)
        await place_pcm(url, "unseen")
        _, said = await asyncio.wait_for(process.communicate(), 20)
    assert json.loads(first) == {"calls": []}
    assert (process.returncode, said) == (1, b"")


async def test_a_user_without_a_name_needs_none_to_read(
    run_cli: RunCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container that runs as a number."""
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 54321)
    assert logged_in() == "uid 54321"
    async with live_server(**SERVER) as url:
        events = await place_pcm(url, "mine")
        outcome = await asyncio.to_thread(run_cli, "watch", url, "--calls", "mine")
    assert (outcome.code, outcome.lines) == (0, events)


async def test_the_picture_outlasts_a_list_that_is_refused_for_a_while() -> None:
    """Behind a gap in the feed the list is asked, by then through a proxy that has no server."""
    lists, shown = Counter[str](), asyncio.Event()

    def refuse(path: str, is_socket: bool) -> int | None:
        lists.update([] if is_socket else [path])
        return 502 if path == "/v1/alerts" and not is_socket and lists[path] in (3, 4) else None

    async def server(socket: ServerConnection) -> None:
        if socket.request is not None and socket.request.path.startswith("/v1/alerts"):
            await socket.send(feed_gap(first=1, last=3, time=datetime.now(UTC)).to_json())
        await socket.wait_closed()

    async with fake_server(server, LISTS, refuse=refuse) as url, Client(url) as client:
        soon = Backoff(first_s=0.001, most_s=0.002)
        note = lambda: shown.set() if lists["/v1/alerts"] == 5 else None  # noqa: E731
        following = Following(client, Picture(), note, soon)
        running = asyncio.create_task(following.run())
        told = asyncio.create_task(shown.wait())
        async with asyncio.timeout(20):
            await asyncio.wait([running, told], return_when=asyncio.FIRST_COMPLETED)
        assert not running.done()
        assert following.trouble is None
        running.cancel()
        await asyncio.wait([running])


@pytest.mark.parametrize(
    ("url", "code", "why"),
    [("http://127.0.0.1:9", 1, "does not answer"), ("127.0.0.1:9", 2, "no server address")],
)
def test_an_address_that_is_wrong(url: str, code: int, why: str, run_cli: RunCli) -> None:
    outcome = run_cli("watch", url)
    assert (outcome.code, outcome.out) == (code, "")
    assert why in outcome.err
