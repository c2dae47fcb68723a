"""Keeps a picture up to date from a server's feeds, for as long as somebody looks at it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from streamtrace.client.client import Client
from streamtrace.client.feed import Feed
from streamtrace.client.items import CallsChanged, FeedRestarted, UnknownEvent
from streamtrace.commands.watch_picture import OPEN, Picture
from streamtrace.events.wire import StreamGapEvent

MOST_ALERTS = 1_000


class Following:
    """The feeds behind a picture; `trouble` says in words why it stands still."""

    def __init__(self, client: Client, picture: Picture, on_change: Callable[[], None]) -> None:
        self._client = client
        self._picture = picture
        self._on_change = on_change
        self._calls: Feed[CallsChanged] = client.all_calls()

    @property
    def trouble(self) -> str | None:
        """None while the server talks."""
        return self._calls.trouble

    @property
    def was_connected(self) -> bool:
        """What is shown was true once."""
        return self._calls.connections > 0

    async def run(self) -> None:
        """Until it is cancelled; raises where the server says no."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow_calls())
            group.create_task(self._follow_alerts())

    async def _follow_calls(self) -> None:
        async for changed in self._calls:
            self._picture.take_calls(changed)
            self._on_change()

    async def _follow_alerts(self) -> None:
        async for item in self._client.alerts(after=await self._all_alerts()):
            if isinstance(item, StreamGapEvent | FeedRestarted):
                await self._all_alerts()  # what the feed has lost, the list has
            elif not isinstance(item, UnknownEvent):
                self._picture.take_alert(item)
            self._on_change()

    async def _all_alerts(self) -> str:
        """Take all that are open; the sequence from which the feed goes on."""
        page = await self._client.list_alerts(states=OPEN, limit=MOST_ALERTS)
        self._picture.take_alerts(page.alerts)
        self._on_change()
        return page.sequence
