"""Alerts of a server that has lost them: told as such, however far it is by then."""

from __future__ import annotations

import pytest
from websockets.asyncio.server import ServerConnection

from streamtrace.client import Client, FeedRestarted
from tests.client.test_feed import SOON, asked_after
from tests.client.test_story import text
from tests.clients.fake_server import fake_server


async def test_alerts_of_a_server_that_has_forgotten_them() -> None:
    """It counts from 1 again: whoever waited behind 40 would wait for long."""
    cursors: list[int] = []

    async def server(socket: ServerConnection) -> None:
        cursors.append(asked_after(socket))
        await socket.send(text(1, "alert.mood.v1"))
        await socket.wait_closed()

    page = {"/v1/alerts": {"alerts": [], "next": None, "sequence": f"{3:020d}"}}
    async with fake_server(server, page) as url, Client(url, backoff=SOON) as client:
        feed = client.alerts(after=40)
        assert await anext(feed) == FeedRestarted(40)
        item = await anext(feed)
        assert not isinstance(item, FeedRestarted)
        assert item.id == "e1"
    assert cursors == [0]


@pytest.mark.parametrize("cursor", [3, 0])
async def test_alerts_of_a_server_that_has_forgotten_them_and_is_further_by_now(
    cursor: int,
) -> None:
    """Its sequence says nothing of that: it is the feed of somebody else."""
    cursors: list[int] = []
    page = {"alerts": [], "next": None, "sequence": f"{5:020d}", "feed": "first"}

    async def server(socket: ServerConnection) -> None:
        cursors.append(asked_after(socket))
        if len(cursors) == 1:
            if cursor:
                await socket.send(text(cursor, "alert.mood.v1"))
            page["feed"] = "second"
            return
        await socket.send(text(1, "alert.mood.v1"))
        await socket.wait_closed()

    async with (
        fake_server(server, {"/v1/alerts": page}) as url,
        Client(url, backoff=SOON) as client,
    ):
        feed = client.alerts()
        if cursor:
            first = await anext(feed)
            assert not isinstance(first, FeedRestarted)
            assert await anext(feed) == FeedRestarted(cursor)
        item = await anext(feed)  # whoever was told nothing has lost nothing
        assert not isinstance(item, FeedRestarted)
        assert item.id == "e1"
    assert cursors == [0, 0]


async def test_who_keeps_a_cursor_with_its_feed_sees_a_restart_at_once() -> None:
    cursors: list[int] = []

    async def server(socket: ServerConnection) -> None:
        cursors.append(asked_after(socket))
        await socket.send(text(cursors[-1] + 1, "alert.mood.v1"))
        await socket.wait_closed()

    page = {"alerts": [], "next": None, "sequence": f"{5:020d}", "feed": "second"}
    async with (
        fake_server(server, {"/v1/alerts": page}) as url,
        Client(url, backoff=SOON) as client,
    ):
        assert await anext(client.alerts(after=3, feed="first")) == FeedRestarted(3)
        for known in ("second", ""):
            item = await anext(client.alerts(after=3, feed=known))
            assert not isinstance(item, FeedRestarted)
            assert item.number == 4
    assert cursors == [0, 3, 3]
