"""Calls that go wrong as the table says, good ones beside them, and what became of each."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from uuid import NAMESPACE_OID, uuid5

import httpx
import structlog
from structlog.testing import capture_logs
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from tests.live_server import live_server
from tests.server.bad_input import DOORS
from tests.server.peers import finals, http, kinds, ws
from tests.server.wrongs import AHEAD_S, FRAMES_BEFORE, LINE, Door, Wrong

SETTINGS: dict[str, Any] = {
    "start_timeout_s": 2.0,  # more than a busy machine stands still
    "media_idle_timeout_s": 3.0,  # and than audio may wait for the engine
    "ingest_ahead_s": AHEAD_S,
    "slots": 256,  # all at once
}
Row = tuple[str, str]  # a door, and a wrong there


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one call."""

    code: int | None
    said: list[str]  # by the server
    call: dict[str, Any]
    events: list[dict[str, Any]]
    logged: list[Any]

    @property
    def reason(self) -> str:
        return self.call["reason"]

    @property
    def gaps(self) -> int:
        return kinds(self.events).count("gap")


async def outcomes_of(
    rows: Sequence[Row], good: Iterable[str], **settings: Any
) -> dict[Row, Outcome]:
    """All wrongs at once, and a good call at each of these doors meanwhile: ("pcm", "nothing")."""
    merged = [structlog.contextvars.merge_contextvars]
    async with live_server(**SETTINGS | settings) as url:
        with capture_logs(processors=merged) as logs:
            return await _outcomes(url, rows, good, logs)


async def _outcomes(
    url: str, rows: Sequence[Row], good: Iterable[str], logs: Sequence[MutableMapping[str, Any]]
) -> dict[Row, Outcome]:
    over = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        well = {name: group.create_task(_do_well(url, name, over)) for name in good}
        wrongs = [group.create_task(_do_wrong(url, *row)) for row in rows]
        await asyncio.wait(wrongs)
        over.set()
    ends = dict(zip(rows, (task.result() for task in wrongs), strict=True))
    ends |= {(name, "nothing"): task.result() for name, task in well.items()}
    async with http(url) as client:
        calls = await _ended(client, len(ends))
        return {
            row: Outcome(
                *end,
                calls[_line_of(*row)],
                await _events_of(client, calls[_line_of(*row)]["id"]),
                [one for one in logs if one.get("call_id") == calls[_line_of(*row)]["id"]],
            )
            for row, end in ends.items()
        }


def assert_documented(row: Row, came: Outcome) -> None:
    """The call ended as its row says, for whoever asks."""
    door, wrong = row
    what = DOORS[door].wrongs[wrong]
    assert (came.code, came.reason) == (what.code, what.reason)
    assert kinds(came.events)[0] == "started"
    assert kinds(came.events)[-1] == "ended"
    assert came.events[-1]["data"]["reason"] == what.reason
    said = {entry["event"]: entry for entry in came.logged}
    assert said["call ended"]["reason"] == what.reason
    if what.reason == "protocol_error":
        assert said["call failed"]["close_code"] == what.code
        assert came.events[-1]["data"]["error"]
    assert came.gaps == what.gaps
    assert what.told is None or what.told in came.said[-1]
    heard = [final["data"]["duration_ms"] for final in finals(came.events)]
    assert len(heard) == what.begins * DOORS[door].legs
    if what.heard is not None:
        assert set(heard) <= {what.heard * DOORS[door].frame_ms}


def assert_unharmed(door: str, came: Outcome) -> None:
    """A good call beside them has noticed nothing."""
    assert (came.code, came.reason, came.gaps) == (1000, "hung_up", 0)
    last = [final["data"] for final in finals(came.events)]
    assert len(last) == DOORS[door].legs
    for final in last:
        assert final["duration_ms"] > FRAMES_BEFORE * DOORS[door].frame_ms
        assert not final["quality"]["degraded"]


def _line_of(door: str, wrong: str) -> str:
    return f"{door}: {wrong}"


def _opened(url: str, name: str, wrong: str) -> Any:
    path = DOORS[name].path
    return ws(url, f"{path}{'&' if '?' in path else '?'}line={quote(_line_of(name, wrong))}")


async def _do_wrong(url: str, name: str, wrong: str) -> tuple[int | None, list[str]]:
    """The close code that it is answered with, and what is said before."""
    door, what = DOORS[name], DOORS[name].wrongs[wrong]
    async with _opened(url, name, wrong) as socket:
        try:
            for message in _messages_of(door, what):
                await socket.send(_own(message, name, wrong))
        except ConnectionClosed:
            pass  # it is closed amid a flood
        if what.vanishes:
            await (await socket.ping())  # the server has what was sent
            socket.transport.abort()
            return None, []
        if what.reason == "hung_up" and not door.stop:
            await socket.close()
        return await _heard_out(socket)


async def _heard_out(socket: ClientConnection) -> tuple[int | None, list[str]]:
    said: list[str] = []
    try:
        async with asyncio.timeout(60):
            while True:
                said.append(str(await socket.recv()))
    except ConnectionClosed:
        return socket.close_code, said


def _messages_of(door: Door, what: Wrong) -> list[str | bytes]:
    before = [door.media(number + 1) for number in range(FRAMES_BEFORE)]
    return [*door.start(), *before, *what.sent] if what.begins else list(what.sent)


async def _do_well(url: str, name: str, over: asyncio.Event) -> tuple[int | None, list[str]]:
    """Speak in real time while others do not, then hang up."""
    door = DOORS[name]
    async with _opened(url, name, "nothing") as socket:
        for message in door.start():
            await socket.send(_own(message, name, "nothing"))
        number = await _speak(socket, name, over)
        for message in door.stop:
            await socket.send(_own(message, name, "nothing"))
        if not door.stop:
            await socket.close()
        code, said = await _heard_out(socket)
    return code if number > FRAMES_BEFORE else None, said


def _own(message: str | bytes, name: str, wrong: str) -> str | bytes:
    """The same on a stream that no other call has, and on the line that it is looked up by."""
    line, stream_id = _line_of(name, wrong), DOORS[name].stream_id
    if isinstance(message, bytes):
        return message
    if stream_id is not None:
        message = message.replace(stream_id, str(uuid5(NAMESPACE_OID, line)))
    return message.replace(LINE, line)


async def _speak(socket: ClientConnection, name: str, over: asyncio.Event) -> int:
    door, number = DOORS[name], 0
    while not over.is_set():
        number += 1
        await socket.send(_own(door.media(number), name, "nothing"))
        await asyncio.sleep(door.frame_ms / 1000)
    return number


async def _ended(client: httpx.AsyncClient, count: int) -> dict[str, dict[str, Any]]:
    """All calls by their line, once each has ended."""
    async with asyncio.timeout(60):
        while True:
            calls = (await client.get("/v1/calls?state=ended&limit=1000")).json()["calls"]
            if len(calls) == count:
                return {call["line"]: call for call in calls}
            await asyncio.sleep(0.02)


async def _events_of(client: httpx.AsyncClient, call_id: str) -> list[dict[str, Any]]:
    return (await client.get(f"/v1/calls/{call_id}/events?limit=1000")).json()["events"]
