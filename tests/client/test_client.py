"""The client against a real server: real calls, their alerts, and what people decide."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from streamtrace.client import (
    Backoff,
    CallsChanged,
    Client,
    Conflict,
    FeedRestarted,
    RequestRefused,
)
from streamtrace.events.alert_wire import AlertOpenedEvent, AlertUpdatedEvent
from streamtrace.events.alerts import AlertState, Disposition
from streamtrace.events.views import CallState
from streamtrace.events.wire import CallEndedEvent, CallScoreEvent, CallStartedEvent
from streamtrace.values import Leg
from tests.client.speaking import MILD, PIECE, VOICE, speak
from tests.live_server import live_server
from tests.server.peers import place_pcm, ws


@asynccontextmanager
async def server(**settings: object) -> AsyncIterator[Client]:
    given = {"alerts": MILD, "ring_ms": 60_000, "feed_interval_s": 0.05} | settings
    async with (
        live_server(**given) as url,
        asyncio.timeout(60),
        Client(url, backoff=Backoff(first_s=0.01)) as client,
    ):
        yield client


async def test_a_call_is_found_followed_and_told_as_it_came() -> None:
    async with server(ingest_token="s3cret-token") as client:
        with pytest.raises(RequestRefused, match="401"):
            await client.announce("mine")
        async with Client(client.url, token="s3cret-token") as known:
            announced = await known.announce("mine", line="support")
        assert (announced.state, announced.line) == (CallState.ANNOUNCED, "support")
        following = client.call_events(announced.id)
        headers = {"authorization": "Bearer s3cret-token"}
        async with ws(
            client.url, "/v1/ingest/pcm?external_id=mine", additional_headers=headers
        ) as call:
            await call.send(VOICE[:PIECE])
        items = [item async for item in following]
        assert isinstance(items[0], CallStartedEvent)
        assert isinstance(items[-1], CallEndedEvent)
        assert [item.number for item in items] == list(range(1, len(items) + 1))
        rest = [item async for item in client.call_events(announced.id, after=items[1].sequence)]
        assert rest == items[2:]
        assert [item async for item in client.call_events(announced.id, after=len(items))] == []
        page = await client.calls(state=CallState.ENDED, external_id="mine", limit=1)
        assert [call.id for call in page.calls] == [announced.id]
        view = await client.call(announced.id)
        scores = [item for item in items if isinstance(item, CallScoreEvent)]
        assert view.legs[0].decision == scores[-1].data
        with pytest.raises(RequestRefused, match="no such call"):
            await anext(client.call_events("call_none"))


@pytest.mark.parametrize("is_told", [True, False], ids=["told", "from the environment"])
async def test_calls_are_announced_and_read_with_a_token_each(
    is_told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest, token = "s3cret-token", "grace-may-read-this"
    given: dict[str, str] = {"token": token, "ingest_token": ingest} if is_told else {}
    people = {"grace": {"token": token, "role": "operator"}}
    async with live_server(ingest_token=ingest, access_tokens=people) as url:
        async with Client(url, token=token) as only_reader:
            with pytest.raises(RequestRefused, match=r"ingest token.*401"):
                await only_reader.announce("mine")
        if not is_told:
            monkeypatch.setenv("STREAMTRACE_TOKEN", token)
            monkeypatch.setenv("STREAMTRACE_INGEST_TOKEN", ingest)
        async with Client(url, **given) as client:
            announced = await client.announce("mine")
            assert (await client.call(announced.id)).state is CallState.ANNOUNCED
            assert [call.id for call in (await anext(client.all_calls())).calls] == [announced.id]


async def test_a_server_that_counts_anew_is_another_feed() -> None:
    """Each time it starts without a database, however far it is."""
    async with server() as client, ws(client.url, "/v1/ingest/pcm") as call:
        await speak(call)
        opened = await anext(client.alerts())
        page = await client.list_alerts()
    async with server() as client, ws(client.url, "/v1/ingest/pcm") as call:
        await speak(call)
        other = await anext(client.alerts())
        assert isinstance(opened, AlertOpenedEvent)
        assert isinstance(other, AlertOpenedEvent)
        assert (opened.number, other.number) == (1, 1)
        feed = client.alerts(after=opened.sequence, feed=page.feed)
        assert [await anext(feed) for _ in range(2)] == [FeedRestarted(1), other]


async def test_all_calls_as_they_change() -> None:
    async with server() as client:
        await place_pcm(client.url, "old")
        feed = client.all_calls()
        first = await anext(feed)
        assert (first.is_whole, [call.external_id for call in first.calls]) == (True, ["old"])
        async with ws(client.url, "/v1/ingest/pcm?external_id=new") as call:
            await call.send(VOICE[:PIECE])
            seen: CallsChanged = await anext(feed)
            while not (seen.calls and seen.calls[0].legs):
                seen = await anext(feed)
            assert (seen.is_whole, seen.calls[0].external_id) == (False, "new")


async def test_an_alert_is_taken_once() -> None:
    async with server() as client:
        feed = client.alerts()
        async with ws(client.url, "/v1/ingest/pcm?external_id=fake") as call:
            await speak(call)
            opened = await anext(feed)
            assert isinstance(opened, AlertOpenedEvent)
            alert = await client.acknowledge(opened, "ada")
            assert alert.state is AlertState.ACKNOWLEDGED
        news = [await anext(feed)]
        while not (isinstance(news[-1], AlertUpdatedEvent) and news[-1].data.is_call_over):
            news.append(await anext(feed))
        alert = await client.alert(alert.id)
        assert alert.version == news[-1].number
        assert alert == (await client.list_alerts(states=[AlertState.ACKNOWLEDGED])).alerts[0]
        assert (await client.list_alerts(leg=Leg.CALLEE)).alerts == []
        with pytest.raises(Conflict) as first:
            await client.assign(opened, "bob", "bob")  # what bob saw is not so any more
        assert (first.value.status, first.value.version) == (412, alert.version)
        with pytest.raises(Conflict) as again:
            await client.acknowledge(alert, "bob")
        assert again.value.status == 409
        with pytest.raises(RequestRefused, match="422"):
            await client.dismiss(alert, "ada", Disposition.FALSE_POSITIVE, "")
        alert = await client.assign(alert, "bob", "bob")
        alert = await client.escalate(alert, "bob", note="sounds odd")
        alert = await client.resolve(alert, "carol", Disposition.TRUE_POSITIVE)
        assert (alert.state, alert.actions) == (AlertState.RESOLVED, [])
        actors = [entry.actor for entry in (await client.audit(alert.id)).entries]
        assert [name for name in actors if name != "policy"] == ["ada", "bob", "bob", "carol"]
