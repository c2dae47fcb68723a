"""Keeps a picture up to date from a server's feeds, for as long as somebody looks at it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from streamtrace.client.backoff import Backoff
from streamtrace.client.client import Client
from streamtrace.client.feed import Feed
from streamtrace.client.items import AlertItem, CallsChanged, FeedRestarted, UnknownEvent
from streamtrace.commands.watch_picture import OPEN, Picture
from streamtrace.errors import RequestRefused, Unreachable
from streamtrace.events.alert_views import AlertPage
from streamtrace.events.wire import StreamGapEvent

MOST_ALERTS = 1_000


class Following:
    """The feeds behind a picture; `trouble` says in words why it stands still."""

    def __init__(
        self,
        client: Client,
        picture: Picture,
        on_change: Callable[[], None],
        backoff: Backoff | None = None,
    ) -> None:
        self._client = client
        self._backoff = backoff or Backoff()
        self._picture = picture
        self._on_change = on_change
        self._calls: Feed[CallsChanged] = client.all_calls()
        self._alerts: Feed[AlertItem] | None = None
        self._list_trouble: str | None = None

    @property
    def trouble(self) -> str | None:
        """None while the server talks."""
        of_feed = None if self._alerts is None else self._alerts.trouble
        return self._calls.trouble or self._list_trouble or of_feed

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
        page = await self._all_alerts()
        self._alerts = self._client.alerts(after=page.sequence, feed=page.feed)
        async for item in self._alerts:
            if isinstance(item, StreamGapEvent | FeedRestarted):
                await self._all_alerts()  # what the feed has lost, the list has
            elif not isinstance(item, UnknownEvent):
                self._picture.take_alert(item)
            self._on_change()

    async def _all_alerts(self) -> AlertPage:
        """Take all that are open; the page says from where the feed goes on.

        Tried again as a feed is: amid a restart the list may be refused where the feed is not.
        """
        failures = 0
        while True:
            try:
                page = await self._client.list_alerts(states=OPEN, limit=MOST_ALERTS)
            except (Unreachable, RequestRefused) as cause:
                if isinstance(cause, RequestRefused) and not cause.is_passing:
                    raise
                failures += 1
                self._list_trouble = str(cause)
                await asyncio.sleep(self._backoff.wait_s(failures, random.random()))
                continue
            self._list_trouble = None
            self._picture.take_alerts(page.alerts)
            self._on_change()
            return page
