"""The demo: our own server, real calls to it all at once, and their decisions as they come."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from contextlib import suppress
from itertools import cycle
from pathlib import Path

from rich.console import Console

from streamtrace.clients.follow import follow_call
from streamtrace.clients.place import new_external_id, place_call
from streamtrace.demo.callers import Caller, human_callers, synthetic_callers
from streamtrace.demo.humans import NoHumans, debian_prompts
from streamtrace.demo.local_server import local_server
from streamtrace.demo.plan import ROUTES, PlannedCall, Route, plan_calls
from streamtrace.demo.report import SCORE, Progress, decision_line, print_table
from streamtrace.errors import CallFailed

FINAL_WITHIN_S = 15.0  # after hanging up
AT_ONCE, PAUSE_S = 3, 2.0  # calls while the server is kept, and between two of a caller
# What the demo's server is told beside its defaults: its few calls are taken however busy the
# machine is. A way in that is off by default is opened here. The shipped policy stays quiet about
# calls of a few seconds; the demo is to show an alert.
SERVER_SETTINGS: dict[str, object] = {
    "max_load": 1000,
    "audiosocket_port": 0,
    "alerts": json.dumps({"false_alarms_per_100_calls": 10}),
}


def people(files: Sequence[Path]) -> list[Caller]:
    """The given recordings, or else Debian's prompts, or else nobody, said on stderr."""
    if files:
        return human_callers(files)
    try:
        return human_callers(debian_prompts())
    except NoHumans as reason:
        _say(f"no human voice to call with: {reason}; give recordings with --human FILE…")
        return []


async def run_demo(
    humans: Sequence[Caller],
    *,
    seconds: float,
    keep: bool,
    console: Console,
    server_arguments: Sequence[str] = (),
    routes: Sequence[Route] = ROUTES,
) -> int:
    """0 if every call ended with a final decision of any kind, else 1."""
    cut = [caller.cut(seconds) for caller in humans]
    calls = plan_calls(cut, [caller.cut(seconds) for caller in synthetic_callers()], routes)
    _say("starting the server …")
    async with local_server(*server_arguments, settings=SERVER_SETTINGS) as server:
        _say(f"server at {server.url}; placing {len(calls)} calls, paced in real time")
        progress = [Progress(call) for call in calls]
        async with asyncio.TaskGroup() as group:
            for one in progress:
                group.create_task(_hold(server.url, one, console))
        print_table(console, progress)
        decided = all(one.final is not None and one.end_reason for one in progress)
        if not decided:
            _say("the server's last lines:\n" + "\n".join(server.last_lines))
        if keep:
            _say(f"calls go on coming: open {server.url}/ (Ctrl-C ends it all)")
            _say(
                f"alerts to work, under a milder policy than the shipped: {server.url}/?view=alerts"
            )
            await go_on_calling(server.url, calls)
    return 0 if decided else 1


async def _hold(url: str, progress: Progress, console: Console) -> None:
    """Place one call and follow it; what goes wrong is kept for the table."""
    external_id = new_external_id(progress.call.route.protocol)
    following = asyncio.create_task(_follow(url, external_id, progress, console))
    try:
        await _place(url, progress.call, external_id)
        async with asyncio.timeout(FINAL_WITHIN_S):
            await following
    except CallFailed as failure:
        progress.failure = str(failure)
    except TimeoutError:
        progress.failure = f"no end {FINAL_WITHIN_S:g} s after hanging up"
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError, CallFailed):
            await following


async def _place(url: str, call: PlannedCall, external_id: str) -> None:
    await place_call(
        url,
        call.caller.pcm,
        protocol=call.route.protocol,
        codec=call.route.codec,
        external_id=external_id,
    )


async def go_on_calling(url: str, calls: Sequence[PlannedCall]) -> None:
    """A few at a time, until cancelled: whoever opens the page sees them live."""
    callers = cycle(calls)

    async def call_again(after_s: float) -> None:
        await asyncio.sleep(after_s)
        while True:
            call = next(callers)
            with suppress(CallFailed):  # the page shows what became of it
                await _place(url, call, new_external_id(call.route.protocol))
            await asyncio.sleep(PAUSE_S)

    async with asyncio.TaskGroup() as group:
        for number in range(AT_ONCE):
            group.create_task(call_again(number * PAUSE_S))


async def _follow(url: str, external_id: str, progress: Progress, console: Console) -> None:
    async for event in follow_call(url, external_id):
        progress.take(event)
        if event["type"] == SCORE:
            console.print(decision_line(progress.call, event["data"]), highlight=False)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
