"""`streamtrace watch`: a server's live picture in a terminal, or its words where nobody looks."""

from __future__ import annotations

import asyncio
import getpass
import os
import sys

from streamtrace.client.client import Client
from streamtrace.client.items import CallsChanged, FeedRestarted, UnknownEvent
from streamtrace.errors import RequestRefused, StreamTraceError
from streamtrace.events.views import CallsFrame


def run(url: str, *, call: str | None = None, actor: str | None = None) -> int:
    """Until Ctrl-C (130) or `q` (0); where `call` is followed by a program, to its end (0)."""
    try:
        return asyncio.run(_watch(url, call, actor))
    except KeyboardInterrupt:
        return 130


def logged_in() -> str:
    """Whoever is; in a container nobody may have given the user a name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # the latter from Python 3.13 on
        return f"uid {os.getuid()}"


async def _watch(url: str, call: str | None, actor: str | None) -> int:
    async with Client(url) as client:
        await client.calls(limit=1)  # a wrong address is told at once, not waited for
        if sys.stdout.isatty():
            return await _show(client, call, actor or logged_in())
        if call is not None:
            return await _tell_call(client, call)
        await _tell(client)
    return 0


async def _show(client: Client, call: str | None, actor: str) -> int:
    from streamtrace.commands.watch_screen import Watch

    screen = Watch(client, actor, call)
    code = await screen.run_async()
    if screen.failure is not None:
        raise screen.failure
    return code or 0


async def _tell(client: Client) -> None:
    """A line of JSON for each frame of the feed of calls, and for each event of an alert."""
    page = await client.list_alerts(limit=1)
    failure: BaseException | None = None
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_tell_calls(client))
            group.create_task(_tell_alerts(client, page.sequence, page.feed))
    except* (StreamTraceError, OSError) as failures:  # the latter where nobody reads any more
        failure = failures.exceptions[0]
    if failure is not None:  # bare, for what is raised above would be in a group again
        raise failure


async def _tell_calls(client: Client) -> None:
    async for changed in client.all_calls():
        _print_calls(changed)


async def _tell_alerts(client: Client, after: str, feed: str) -> None:
    async for item in client.alerts(after=after, feed=feed):
        if not isinstance(item, FeedRestarted | UnknownEvent):
            print(item.to_json(), flush=True)


async def _tell_call(client: Client, call: str) -> int:
    """A line of JSON for each event, to the call's end; `call` is either of its ids."""
    named = (await client.calls(external_id=call, limit=1)).calls
    call_id = named[0].id if named else call
    try:
        async for item in client.call_events(call_id):
            if not isinstance(item, UnknownEvent):
                print(item.to_json(), flush=True)
    except RequestRefused as refusal:
        print(f"streamtrace watch: {call}: {refusal}", file=sys.stderr)
        return 1
    return 0


def _print_calls(changed: CallsChanged) -> None:
    print(CallsFrame(calls=list(changed.calls)).model_dump_json(), flush=True)
