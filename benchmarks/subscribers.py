"""What those who listen cost, and how soon they hear: 500 subscribers of 100 live calls.

`python -m benchmarks.subscribers [--seconds 20] [--json]`: a server without the network's
arithmetic, 100 paced Twilio calls from a process of their own, from this one 450 WebSockets that
follow a call each, and from a third 50 that follow the feed of all, whose frames would keep this
one from its clock; before them, the same calls with nobody listening. The time from an event's own
`time`, when it was said, to here includes that it was kept before it was told.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
from asyncio.subprocess import PIPE
from datetime import datetime
from time import time

from benchmarks.event_loop import need_linux, run as run_loop
from benchmarks.process_cpu import CpuUsed
from benchmarks.report import Measured, Report, as_markdown, load_average
from benchmarks.server_load import BARE_SERVER, EVERYBODY, hold_twilio_calls
from streamtrace.clients.endpoints import endpoint, http_client, open_websocket
from streamtrace.demo.local_server import LocalServer, local_server

CALLS = 100
FOLLOWERS, WATCHERS = 450, 50
SETTLE_S = 5.0  # until all calls are there, and again until all subscribers are


class Listening:
    """Everything that all subscribers heard while it counts."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.is_counting = False
        self.late_ms: list[float] = []
        self.frames_per_s = 0.0  # to each who watches the feed
        self.cpu_s = 0.0  # of the server, meanwhile

    async def follow(self, call_id: str) -> None:
        """One call's events."""
        async with open_websocket(self._url, f"/v1/calls/{call_id}/events") as socket:
            async for text in socket:
                now_s = time()
                if self.is_counting:
                    said = json.loads(text)["time"]
                    self.late_ms.append(1000 * (now_s - datetime.fromisoformat(said).timestamp()))

    async def watch(self, seconds: float) -> None:
        """The feed of all calls, from a process of its own."""
        watching = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "benchmarks.subscribers"),
            *("--watch", self._url, "--seconds", str(seconds)),
            stdout=PIPE,
        )
        try:
            told, _ = await watching.communicate()
            self.frames_per_s = int(told) / seconds / WATCHERS
        finally:
            if watching.returncode is None:
                watching.kill()
                await watching.wait()


async def under_load(server: LocalServer, seconds: float, *, listened_to: bool) -> Listening:
    """Calls for so long, in their steady middle."""
    listening = Listening(server.url)
    load = asyncio.create_task(hold_twilio_calls(server, CALLS, seconds + 3 * SETTLE_S))
    listeners: list[asyncio.Task[None]] = []
    try:
        await asyncio.sleep(SETTLE_S)
        if listened_to:
            ids = await live_calls(server.url)
            listeners += [
                asyncio.create_task(listening.follow(ids[number % len(ids)]))
                for number in range(FOLLOWERS)
            ]
            listeners.append(asyncio.create_task(listening.watch(seconds + SETTLE_S)))
        await asyncio.sleep(SETTLE_S)
        before = CpuUsed.of(server.pid)
        listening.is_counting = True
        await asyncio.sleep(seconds)
        listening.is_counting = False
        used = CpuUsed.of(server.pid).since(before)
        listening.cpu_s = (used.loop_s + used.others_s) / used.at_s * seconds
        await load
        if listened_to:
            await listeners[-1]
    finally:
        for task in (load, *listeners):
            task.cancel()
        await asyncio.wait([load, *listeners])
    return listening


async def live_calls(url: str) -> list[str]:
    """The ids of the calls that have come; on a loaded machine the first may be late."""
    asked = endpoint(url, "/v1/calls", state="live", limit=CALLS)
    async with http_client(url) as http, asyncio.timeout(60):
        while True:
            if ids := [call["id"] for call in (await http.get(asked)).json()["calls"]]:
                return ids
            await asyncio.sleep(SETTLE_S)


async def count_frames(url: str, seconds: float) -> int:
    """What all who watch the feed are told in that time."""
    frames = 0

    async def watch() -> None:
        nonlocal frames
        async with open_websocket(url, "/v1/calls", headers={}) as socket:
            async for _ in socket:
                frames += 1

    watching = [asyncio.create_task(watch()) for _ in range(WATCHERS)]
    await asyncio.wait(watching, timeout=seconds)
    for task in watching:
        task.cancel()
    await asyncio.wait(watching)
    return frames


async def measure(seconds: float) -> Report:
    """Twice the same calls."""
    load = load_average()
    async with local_server(program=(BARE_SERVER,), settings=EVERYBODY) as server:
        alone = await under_load(server, seconds, listened_to=False)
        heard = await under_load(server, seconds, listened_to=True)
    cuts = statistics.quantiles(heard.late_ms, n=100, method="inclusive")
    told = len(heard.late_ms)
    return Report(
        "subscribers",
        {
            "calls": CALLS,
            "followers of one call": FOLLOWERS,
            "of the feed": WATCHERS,
            "seconds": seconds,
            "load average before": load,
        },
        {
            "event_to_client_p50_ms": Measured([cuts[49]], "ms"),
            "event_to_client_p99_ms": Measured([cuts[98]], "ms"),
            "events_told": Measured([told], "events"),
            "feed_frames_per_s": Measured([heard.frames_per_s], "1/s"),
            "server_cores_alone": Measured([alone.cpu_s / seconds], "cores"),
            "server_cores_heard": Measured([heard.cpu_s / seconds], "cores"),
            "cpu_us_per_told": Measured([1e6 * (heard.cpu_s - alone.cpu_s) / told], "µs"),
        },
    )


def main() -> None:
    """Run argv."""
    need_linux()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.subscribers")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--watch", metavar="URL", help="only count the frames of its feed")
    given = parser.parse_args()
    if given.watch:
        print(run_loop(count_frames(given.watch, given.seconds)))
        return
    told = run_loop(measure(given.seconds)).as_json()
    print(json.dumps(told, indent=2) if given.json else as_markdown(told))


if __name__ == "__main__":
    main()
