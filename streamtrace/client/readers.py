"""What can be followed: a call's events, the alerts' feed, and the feed of all calls."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from websockets.asyncio.client import ClientConnection

from streamtrace.client.connection import Connection
from streamtrace.client.items import (
    AlertItem,
    CallItem,
    CallsChanged,
    FeedRestarted,
    UnknownEvent,
    read_alert_item,
    read_call_item,
    read_frame,
)
from streamtrace.client.story import Story
from streamtrace.events.alert_views import AlertPage
from streamtrace.events.alert_wire import (
    AlertClosedEvent,
    AlertOpenedEvent,
    AlertUpdatedEvent,
)
from streamtrace.events.views import CallState, CallView
from streamtrace.events.wire import CALL_ENDED, StreamGapEvent


class Told(BaseModel, frozen=True):
    """An `EventPage` of whatever events: all that matters is whether there are any."""

    events: list[Any]


class CallReader:
    """A call's events, to its end."""

    def __init__(self, connection: Connection, call_id: str, after: int) -> None:
        self._connection = connection
        self._path = f"/v1/calls/{call_id}"
        self._story: Story[CallItem] = Story(read_call_item, after=after, last_type=CALL_ENDED)

    @property
    def ended(self) -> bool:
        """Its end was told."""
        return self._story.ended

    async def connect(self) -> tuple[ClientConnection, CallItem | None]:
        """Behind the last event read."""
        path = f"{self._path}/events"
        return await self._connection.open(path, after=self._story.cursor), None

    def take(self, text: str | bytes) -> CallItem | None:
        """An event."""
        return self._story.take(text)

    async def is_over(self) -> bool:
        """Whether its end is behind the cursor already; else the socket was closed amid it."""
        if (await self._connection.look(CallView, self._path)).state is not CallState.ENDED:
            return False
        query = {"after": self._story.cursor, "limit": 1}
        rest = await self._connection.look(Told, f"{self._path}/events", query=query)
        return not rest.events


class AlertReader:
    """What happens to all alerts; it has no end."""

    ended = False

    def __init__(self, connection: Connection, after: int, feed: str = "") -> None:
        self._connection = connection
        self._feed = feed  # whose sequence the cursor is; empty: that is not known
        self._story: Story[
            AlertOpenedEvent | AlertUpdatedEvent | AlertClosedEvent | StreamGapEvent | UnknownEvent
        ] = Story(_read_alert_event, after=after)

    async def connect(self) -> tuple[ClientConnection, AlertItem | None]:
        """Behind the last event read, unless the server counts anew or is not as far any more.

        It is asked before, never behind: where it restarts meanwhile, the next time tells.
        """
        cursor = self._story.cursor
        page = await self._connection.look(AlertPage, "/v1/alerts", query={"limit": 1})
        self._feed = self._feed or page.feed
        is_other = page.feed not in ("", self._feed) or int(page.sequence) < cursor
        restarted = FeedRestarted(cursor) if cursor and is_other else None
        socket = await self._connection.open("/v1/alerts", after=0 if restarted else cursor)
        self._feed = page.feed
        if restarted:
            self._story.restart()
        return socket, restarted

    def take(self, text: str | bytes) -> AlertItem | None:
        """An event."""
        return self._story.take(text)

    async def is_over(self) -> bool:
        """Never."""
        return False


class CallsReader:
    """Calls as they change; each connection begins with the newest, and whoever else is live."""

    ended = False

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._is_new = True

    async def connect(self) -> tuple[ClientConnection, CallsChanged | None]:
        """From now on."""
        socket = await self._connection.open("/v1/calls")
        self._is_new = True
        return socket, None

    def take(self, text: str | bytes) -> CallsChanged | None:
        """A frame."""
        calls = read_frame(text)
        if calls is None:
            return None
        is_whole, self._is_new = self._is_new, False
        return CallsChanged(calls, is_whole)

    async def is_over(self) -> bool:
        """Never."""
        return False


def _read_alert_event(
    text: str | bytes,
) -> AlertOpenedEvent | AlertUpdatedEvent | AlertClosedEvent | StreamGapEvent | UnknownEvent | None:
    item = read_alert_item(text)
    assert not isinstance(item, FeedRestarted)  # nobody says that but this client
    return item
