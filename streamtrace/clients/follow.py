"""Follows a call's events from outside, through every disconnect, to the last one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, TypeAlias

import httpx
from websockets.exceptions import ConnectionClosed, WebSocketException

from streamtrace.clients.endpoints import endpoint, http_client, open_websocket, reader
from streamtrace.errors import CallFailed

# A CloudEvent as it came over the wire; newer servers may say more than this version knows.
EventJson: TypeAlias = dict[str, Any]

LAST_EVENT = "call.ended.v1"
LOOK_AGAIN_S = 0.1
UNREADABLE = (ValueError, TypeError, LookupError)
RETRY_S = 0.5
MOST_FAILURES = 5  # in a row, without one event between them


async def find_call(base_url: str, external_id: str, *, within_s: float = 15.0) -> str:
    """The id of the newest call with this external id, waiting for it to appear."""
    url = endpoint(base_url, "/v1/calls", external_id=external_id, limit=1)
    try:
        async with http_client(base_url, headers=reader()) as http, asyncio.timeout(within_s):
            while True:
                answer = await http.get(url)
                answer.raise_for_status()
                if calls := answer.json()["calls"]:
                    return calls[0]["id"]
                await asyncio.sleep(LOOK_AGAIN_S)
    except TimeoutError as cause:
        raise CallFailed(
            f"{base_url} has no call {external_id!r} after {within_s:g} s: see the server's log"
        ) from cause
    except httpx.HTTPError as cause:
        raise CallFailed(f"{base_url} cannot be asked for its calls: {cause!r}") from cause
    except UNREADABLE as cause:
        raise CallFailed(f"{base_url} answers, but not as StreamTrace does") from cause


async def follow_events(
    base_url: str, call_id: str, *, after: str | None = None, retry_s: float = RETRY_S
) -> AsyncIterator[EventJson]:
    """Every event of the call once, in order; ends behind `call.ended.v1`.

    A lost connection is resumed behind the last event seen. CallFailed after too many in a row.
    """
    seen: set[str] = set()  # the server promises at least once; a call has hundreds, not millions
    failures = 0
    while True:
        try:
            async with open_websocket(
                base_url, f"/v1/calls/{call_id}/events", headers=reader(), after=after
            ) as websocket:
                async for text in websocket:
                    event = _read(text, base_url)
                    failures = 0
                    if event["type"] == "stream.heartbeat.v1" or event["id"] in seen:
                        continue
                    seen.add(event["id"])
                    after = event.get("sequence", after)
                    yield event
                    if event["type"] == LAST_EVENT:
                        return
        except ConnectionClosed:
            pass  # resumed below like a clean close
        except (OSError, WebSocketException) as cause:
            if failures >= MOST_FAILURES:
                raise CallFailed(f"{base_url} does not show call {call_id}: {cause}") from cause
        failures += 1
        if failures > MOST_FAILURES:
            raise CallFailed(f"{base_url} keeps closing the events of call {call_id}")
        await asyncio.sleep(retry_s)


async def follow_call(base_url: str, external_id: str) -> AsyncIterator[EventJson]:
    """Every event of the call with this external id, as soon as there is one."""
    call_id = await find_call(base_url, external_id)
    async for event in follow_events(base_url, call_id):
        yield event


def _read(text: str | bytes, base_url: str) -> EventJson:
    try:
        event: EventJson = json.loads(text)
        return event | {"id": event["id"], "type": event["type"]}  # or it is none
    except UNREADABLE as cause:
        raise CallFailed(f"{base_url} says what is no event") from cause
