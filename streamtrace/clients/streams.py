"""Places a call as a stream of JSON messages, whatever platform's words they are in."""

from __future__ import annotations

import base64
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping

from websockets.exceptions import ConnectionClosed, WebSocketException

from streamtrace.clients.coders import CODERS
from streamtrace.clients.damage import departures
from streamtrace.clients.endpoints import open_websocket
from streamtrace.clients.plan import CallPlan
from streamtrace.errors import CallFailed

JsonObject = dict[str, object]


class StreamCaller(ABC):
    """One stream of one platform: what it says, numbered from its start on."""

    protocol: str
    frame_ms = 20

    def __init__(self, plan: CallPlan) -> None:
        self.plan = plan
        self.coder = CODERS[plan.codec]
        self.tracks = ["inbound"] if plan.callee is None else ["inbound", "outbound"]
        self._number = 0

    def headers(self, path: str) -> Mapping[str, str] | None:
        """What proves on the upgrade who it is; None: the ingest token, where there is one."""
        return None

    @abstractmethod
    def opening(self) -> list[JsonObject]:
        """Before any audio."""

    @abstractmethod
    def media(self, track: str, frame: int, payload: str) -> JsonObject:
        """Frame number `frame` of a track, from 0, in base64."""

    def closing(self) -> list[JsonObject]:
        """The goodbye; a platform without one just closes the socket."""
        return []

    def next_number(self) -> int:
        """Of each message that is numbered."""
        self._number += 1
        return self._number


async def place_stream(caller: StreamCaller) -> None:
    """The caller is the inbound track, the callee the outbound one."""
    plan, protocol, frame_ms = caller.plan, caller.protocol, caller.frame_ms
    parties = [plan.pcm] if plan.callee is None else [plan.pcm, plan.callee]
    coded = [caller.coder.frames(party, frame_ms) for party in parties]
    longest = max(map(len, coded))
    path = f"/v1/ingest/{protocol}"
    try:
        async with open_websocket(plan.base_url, path, headers=caller.headers(path)) as websocket:
            for message in caller.opening():
                await websocket.send(json.dumps(message))
            for departure in departures(longest, frame_ms / 1000, plan.damage):
                await plan.pace.until(departure.at_s)
                for track, frames in zip(caller.tracks, coded, strict=True):
                    if departure.frame < len(frames):
                        payload = base64.b64encode(frames[departure.frame]).decode()
                        message = caller.media(track, departure.frame, payload)
                        await websocket.send(json.dumps(message))
            await plan.pace.until(longest * frame_ms / 1000)
            for message in caller.closing():
                await websocket.send(json.dumps(message))
    except ConnectionClosed as cause:
        raise CallFailed(f"{plan.base_url} closed the {protocol} stream: {cause}") from cause
    except (OSError, WebSocketException) as cause:
        raise CallFailed(f"{plan.base_url} does not take a {protocol} stream: {cause}") from cause
