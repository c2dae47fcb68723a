"""Nothing that was shown is ever lost: readers of a server that is killed again and again.

`python -m benchmarks.resume [--events 10000] [--cuts 200] [--kills 40] [--json]`: calls are placed
on a real server, whose process is killed (SIGKILL) and started again on the same database. Each is
followed over WebSocket, SSE and REST by turns; its reader hangs up at random and resumes by its
cursor. In the end every reader must have every event that the database tells, once by id, in order,
word for word, with one final a leg; and so must every reader of the alerts that these calls bring.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import signal
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from websockets.exceptions import WebSocketException

from benchmarks.event_loop import run as run_loop
from benchmarks.killed_server import KilledServer
from benchmarks.report import Measured, Report, as_markdown, load_average
from benchmarks.resume_alerts import READERS, AlertReaders
from streamtrace.clients.endpoints import endpoint, http_client, open_websocket
from streamtrace.clients.follow import EventJson

CALLS = 8  # at once
PIECE = bytes(2 * 7_680)  # a hop of silence at 16 kHz: one decision
PIECE_S = 0.02  # between two; twenty-four times as fast as live
WAIT_S = 0.05
LOST = (OSError, WebSocketException, httpx.HTTPError, TimeoutError)
WAYS = ("ws", "sse", "rest")
REST_PAGE = 40


@dataclass(slots=True)
class Found:
    """What the readers went through, and what was wrong."""

    calls: int = 0
    events: int = 0
    finals: int = 0
    recovered: int = 0  # of the finals
    hang_ups: int = 0
    kills: int = 0
    repeated: int = 0  # events that came more than once
    down_s: list[float] = field(default_factory=list[float])  # from a kill to the next answer
    alert_events: int = 0
    alerts_taken: int = 0  # by a person
    alert_connections: int = 0  # of all readers of their feed
    wrong: list[str] = field(default_factory=list[str])


class Chaos:
    """Callers, readers and the one who kills."""

    def __init__(
        self, server: KilledServer, *, events: int, cuts: int, kills: int, seed: int = 1
    ) -> None:
        self._server = server
        self._events, self._cuts, self._kills = events, cuts, kills
        self._chance = random.Random(seed)
        self._found = Found()
        self._heard: dict[str, dict[str, EventJson]] = {}  # by call, then by the event's id
        self._in_order: dict[str, list[int]] = {}
        self._alerts = AlertReaders(server.url, self._chance)

    async def run(self) -> Found:
        """All of it, to the comparison with what is kept."""
        await self._server.start()
        try:
            async with asyncio.TaskGroup() as group:
                watching = group.create_task(self._watch(group))
                following = group.create_task(self._alerts.run())
                callers = [group.create_task(self._place_calls(n)) for n in range(CALLS)]
                await self._kill_now_and_then()
                for caller in callers:
                    caller.cancel()
                await asyncio.wait(callers)
                await self._until_all_ended()
                watching.cancel()
                self._found.alert_events = await self._alerts.compare()
                following.cancel()
            await self._compare()
            self._found.wrong += self._alerts.wrong
            self._found.alerts_taken = self._alerts.decided
            self._found.alert_connections = self._alerts.connections
        finally:
            await self._server.stop(signal.SIGTERM)
        return self._found

    @property
    def _is_enough(self) -> bool:
        found = self._found
        cuts = found.hang_ups + found.kills
        heard = sum(len(events) for events in self._heard.values())
        return heard >= self._events and cuts >= self._cuts and found.kills >= self._kills

    async def _kill_now_and_then(self) -> None:
        every = self._events / (self._kills + 1)
        while not self._is_enough:
            await asyncio.sleep(WAIT_S)
            heard = sum(len(events) for events in self._heard.values())
            if self._found.kills < self._kills and heard >= every * (self._found.kills + 1):
                await asyncio.sleep(self._chance.uniform(0, 0.05))
                killed_s = time.perf_counter()
                await self._server.stop(signal.SIGKILL)
                self._found.kills += 1
                await self._server.start()
                self._found.down_s.append(time.perf_counter() - killed_s)

    async def _place_calls(self, caller: int) -> None:
        """One after another; each is cut off where the server dies."""
        number = 0
        while True:
            number += 1
            with suppress(*LOST):
                async with open_websocket(
                    self._server.url, "/v1/ingest/pcm", external_id=f"{caller}-{number}"
                ) as socket:
                    for _ in range(self._chance.randint(20, 120)):
                        await socket.send(PIECE)
                        await asyncio.sleep(PIECE_S)
            await asyncio.sleep(WAIT_S)

    async def _watch(self, group: asyncio.TaskGroup) -> None:
        """A reader for each call that anybody was ever shown."""
        while True:
            await asyncio.sleep(4 * WAIT_S)
            with suppress(*LOST):
                for call_id in await self._call_ids():
                    if call_id not in self._heard:
                        self._heard[call_id], self._in_order[call_id] = {}, []
                        group.create_task(self._follow(call_id))

    async def _call_ids(self) -> list[str]:
        async with http_client(self._server.url) as http:
            answer = await http.get(endpoint(self._server.url, "/v1/calls", limit=1000))
            answer.raise_for_status()
            # A call that has not said anything yet was shown no event that could be lost.
            return [call["id"] for call in answer.json()["calls"] if call["legs"]]

    async def _follow(self, call_id: str) -> None:
        """To the call's end, whatever happens in between."""
        heard, order = self._heard[call_id], self._in_order[call_id]
        way = self._chance.randrange(len(WAYS))
        while True:
            way += 1
            stay = self._chance.randint(5, 80)  # events
            again = self._chance.choice((1, 1, 1, 4))  # who is not sure what it has asks for more
            after = str(order[-again]) if len(order) >= again else "0"
            telling = self._events_by(WAYS[way % len(WAYS)], call_id, after)
            with suppress(*LOST):
                async with aclosing(telling):  # who hangs up does so now
                    async for event in telling:
                        if event["type"] == "stream.heartbeat.v1":
                            continue
                        self._hear(heard, order, event)
                        if event["type"] == "call.ended.v1":
                            return
                        stay -= 1
                        if not stay:
                            self._found.hang_ups += 1
                            break
            await asyncio.sleep(WAIT_S)

    def _hear(self, heard: dict[str, EventJson], order: list[int], event: EventJson) -> None:
        known = heard.setdefault(event["id"], event)
        if known is not event:
            self._found.repeated += 1
            if known != event:
                self._found.wrong.append(f"{event['id']} is told in two ways")
            return
        number = int(event["sequence"])
        if order and number <= order[-1]:
            self._found.wrong.append(f"{event['id']} came behind {order[-1]}")
        order.append(number)

    async def _events_by(self, way: str, call_id: str, after: str) -> AsyncGenerator[EventJson]:
        url, path = self._server.url, f"/v1/calls/{call_id}/events"
        if way == "ws":
            async with open_websocket(url, path, after=after) as socket:
                async for text in socket:
                    yield json.loads(text)
            return
        async with http_client(url) as http:
            if way == "rest":
                page = await http.get(endpoint(url, path, after=after, limit=REST_PAGE))
                page.raise_for_status()
                for event in page.json()["events"]:
                    yield event
                return
            headers = {"accept": "text/event-stream", "last-event-id": after}
            async with http.stream("GET", endpoint(url, path), headers=headers) as stream:
                stream.raise_for_status()
                async for line in stream.aiter_lines():
                    if line.startswith("data: "):
                        yield json.loads(line.removeprefix("data: "))

    async def _until_all_ended(self) -> None:
        async with asyncio.timeout(60):
            while True:
                await asyncio.sleep(WAIT_S)
                if all(_has_ended(events) for events in self._heard.values()):
                    return

    async def _compare(self) -> None:
        found = self._found
        for call_id, heard in self._heard.items():
            kept: list[EventJson] = []
            while page := [e async for e in self._events_by("rest", call_id, _cursor(kept))]:
                kept += page
            if list(heard.values()) != kept:
                found.wrong.append(f"{call_id}: heard {len(heard)} events, {len(kept)} are kept")
            legs = [event["data"]["leg"] for event in kept if event["type"] == "call.media.v1"]
            finals = [event["data"] for event in kept if event["data"].get("is_final")]
            if sorted(one["leg"] for one in finals) != sorted(legs):
                found.wrong.append(f"{call_id}: {len(finals)} finals for {len(legs)} legs")
            if [int(event["sequence"]) for event in kept] != list(range(1, len(kept) + 1)):
                found.wrong.append(f"{call_id}: sequences are missing")
            found.calls += 1
            found.events += len(kept)
            found.finals += len(finals)
            found.recovered += sum(one["recovered"] for one in finals)


def _has_ended(events: dict[str, EventJson]) -> bool:
    return any(event["type"] == "call.ended.v1" for event in events.values())


def _cursor(events: list[EventJson]) -> str:
    return events[-1]["sequence"] if events else "0"


async def measure(
    folder: Path, *, events: int, cuts: int, kills: int, database: str | None = None
) -> Found:
    """On a database in the folder, unless another is named."""
    server = KilledServer(database or f"sqlite:///{folder}/events.db", folder)
    return await Chaos(server, events=events, cuts=cuts, kills=kills).run()


def main() -> None:
    """Run argv; 1 where something was lost."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.resume")
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--cuts", type=int, default=200, help="hang-ups and kills together")
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--database", help="a URL; a file of its own unless given")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    load = load_average()
    with tempfile.TemporaryDirectory(prefix="streamtrace-") as folder:
        found = run_loop(
            measure(
                Path(folder),
                events=given.events,
                cuts=given.cuts,
                kills=given.kills,
                database=given.database,
            )
        )
    counts = {
        name: Measured([float(getattr(found, name))], unit)
        for name, unit in {
            "calls": "calls",
            "events": "events",
            "finals": "events",
            "recovered": "finals",
            "hang_ups": "times",
            "kills": "times",
            "repeated": "events",
            "alert_events": "events",
            "alerts_taken": "alerts",
            "alert_connections": "times",
        }.items()
    }
    wrong = Measured([float(len(found.wrong))], "findings")
    report = Report(
        "resume",
        {
            "database": (given.database or "sqlite").partition(":")[0],
            "calls at once": CALLS,
            "readers of alerts": READERS,
            "load average before": load,
        },
        {"lost_or_wrong": wrong, **counts, "down_s": Measured(found.down_s, "s")},
    )
    told = report.as_json()
    print(json.dumps(told, indent=2) if given.json else as_markdown(told))
    for line in found.wrong[:20]:
        print(line, file=sys.stderr)
    sys.exit(1 if found.wrong else 0)


if __name__ == "__main__":
    main()
