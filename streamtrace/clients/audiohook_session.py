"""The client's side of an AudioHook session: numbered messages, and what the server answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from websockets.exceptions import ConnectionClosed

from streamtrace.clients.endpoints import ClientConnection
from streamtrace.errors import CallFailed
from streamtrace.protocols.audiohook_messages import MOST_TEXT, NOBODY, RATE_HZ, VERSION, written

OPENED_WITHIN_S = 5.0
CLOSED_WITHIN_S = 10.0
SAMPLE_BYTES = {"PCMU": 1, "L16": 2}

JsonObject = dict[str, Any]


class AudioHookCaller:
    """As strict as the platform: a server that breaks the protocol raises `CallFailed`.

    `hear` runs beside what is said. `events` are the entities that the server has sent.
    """

    def __init__(self, websocket: ClientConnection, session_id: str) -> None:
        self.events: list[JsonObject] = []
        self._websocket = websocket
        self._id = session_id
        self._seq = 0
        self._serverseq = 0
        self._position = 0  # samples at 8 kHz
        self._bytes_per_sample = 1  # of all channels
        self._pings: list[int] = []  # that are not answered yet
        self._opened: asyncio.Future[JsonObject] = asyncio.get_running_loop().create_future()
        self._opened.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._closed = asyncio.Event()  # as the server has said, or by its going
        self._is_disconnected = False
        self._problem: str | None = None  # why the session cannot go on

    async def open(
        self, organization_id: str, conversation_id: str, form: str, channels: Sequence[str]
    ) -> None:
        """Offer both parties and each alone, in one format; returns when audio may be sent."""
        each = [list(channels)] + [[name] for name in channels if len(channels) > 1]
        offers = [
            {"type": "audio", "format": form, "channels": names, "rate": RATE_HZ} for names in each
        ]
        participant = {"id": NOBODY, "ani": "", "aniName": "", "dnis": ""}
        asked = {
            "organizationId": organization_id,
            "conversationId": conversation_id,
            "participant": participant,
            "media": offers,
            "language": "en-US",
        }
        await self._say("open", asked)
        try:
            async with asyncio.timeout(OPENED_WITHIN_S):
                opened = await self._opened
        except TimeoutError:
            raise CallFailed(f"no `opened` came in {OPENED_WITHIN_S:g} s") from None
        media = opened.get("media")
        if media not in ([offers[0]], []):
            raise CallFailed("the server opened with media that it was not offered first")
        self._bytes_per_sample = SAMPLE_BYTES[form] * len(channels)

    async def audio(self, frame: bytes) -> None:
        """The next samples of every channel."""
        self._raise_problem()
        await self._websocket.send(frame)
        self._position += len(frame) // self._bytes_per_sample

    async def discard(self, samples: int) -> None:
        """So much audio is not sent."""
        start, self._position = self._position, self._position + samples
        missing = {"start": written(start), "discarded": written(samples)}
        await self._say("discarded", missing)

    async def ping(self) -> None:
        """A server that answers shows that it lives."""
        self._pings.append(self._seq + 1)
        await self._say("ping", {})

    async def close(self, reason: str) -> None:
        """Say `close`, and wait for what the server says until it has `closed`."""
        self._raise_problem()
        await self._say("close", {"reason": reason})
        try:
            async with asyncio.timeout(CLOSED_WITHIN_S):
                await self._closed.wait()
        except TimeoutError:
            raise CallFailed(f"no `closed` came in {CLOSED_WITHIN_S:g} s") from None
        self._raise_problem()
        if self._pings:
            raise CallFailed("a `ping` was not answered")

    async def part(self) -> None:
        """Behind a `disconnect` the server still has to say `closed`."""
        if self._is_disconnected:
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSED_WITHIN_S):
                    await self._closed.wait()

    async def hear(self) -> None:
        """What the server says, to the end; what is wrong with it is raised where we speak."""
        try:
            async for message in self._websocket:
                await self._hear(message)
        except ConnectionClosed:
            pass  # raised by whoever sends, too
        except (ValueError, KeyError, TypeError):
            self._problem = "the server said what cannot be read"
        finally:
            if not self._closed.is_set() and self._problem is None:
                self._problem = "the server closed the session"
            self._closed.set()
            if not self._opened.done():
                self._opened.set_exception(CallFailed(self._problem or "the session is over"))

    async def _hear(self, message: str | bytes) -> None:
        if isinstance(message, bytes) or len(message) > MOST_TEXT:
            self._problem = "the server said what it may not say"
            return
        told: JsonObject = json.loads(message)
        self._serverseq += 1
        if told["version"] != VERSION or told["id"] != self._id or told["seq"] != self._serverseq:
            self._problem = f"the server numbered `{told.get('type')}` wrongly"
        parameters: JsonObject = dict(told["parameters"])
        match told["type"]:
            case "opened":
                self._opened.set_result(parameters)
            case "pong":
                if not self._pings or self._pings.pop(0) != told["clientseq"]:
                    self._problem = "a `pong` to no `ping`"
            case "event":
                self.events += parameters["entities"]
            case "disconnect":
                reason, info = parameters["reason"], parameters.get("info", "")
                self._problem = f"the server disconnected, {reason}: {info}".rstrip(": ")
                self._is_disconnected = True
                await self._say("close", {"reason": "disconnect"})
                if not self._opened.done():
                    self._opened.set_exception(CallFailed(self._problem))
            case "closed":
                self._closed.set()
            case _:
                pass

    async def _say(self, kind: str, parameters: JsonObject) -> None:
        self._seq += 1
        message = {
            "version": VERSION,
            "type": kind,
            "id": self._id,
            "seq": self._seq,
            "serverseq": self._serverseq,
            "position": written(self._position),
            "parameters": parameters,
        }
        await self._websocket.send(json.dumps(message))

    def _raise_problem(self) -> None:
        if self._problem is not None:
            raise CallFailed(self._problem)
