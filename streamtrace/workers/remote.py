"""The switchboard of an ingest process: who comes in, and what becomes of it, is decided elsewhere.

The engine's process seats, starts and ends calls; what is done here is to decode a call's audio and
to write it into the ring.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import structlog
from websockets.asyncio.client import unix_connect
from websockets.exceptions import WebSocketException

from streamtrace.errors import ProtocolViolation, StreamTraceError
from streamtrace.ports import AudioSource, SourceEnded
from streamtrace.server.tasks import OwnedTasks, done
from streamtrace.settings import Settings
from streamtrace.values import EndReason
from streamtrace.workers.control import Begun, CallWanted, Dropped, NonceShown, SeatWanted
from streamtrace.workers.gather import Gatherer
from streamtrace.workers.line import Conversation, EngineLine
from streamtrace.workers.records import RingItem, SourceFailed
from streamtrace.workers.sender import RingSender

log = structlog.get_logger()

DROPPED_EVERY_S = 1.0
LAST_ANSWERS_S = 0.5  # for connections whose calls have ended
SCORES = ("call.score.v1", "call.ended.v1")
FAILED_HERE = "the server failed here; its log says where"


class WorkerClock:
    """Monotonic time is the same in every process of a machine."""

    def now(self) -> float:
        """Seconds that the engine's clock counts too."""
        return time.monotonic()

    def utc(self) -> datetime:
        """The wall time in UTC."""
        return datetime.now(UTC)


class CallFailedThere(StreamTraceError):
    """What failed in the engine's process, with its close code."""

    def __init__(self, text: str, close_code: int) -> None:
        super().__init__(text)
        self.close_code = close_code


class RemoteSwitchboard(OwnedTasks):
    """A `Switchboard` whose engine is in another process."""

    def __init__(
        self, worker: int, settings: Settings, line: EngineLine, sender: RingSender, engine: Path
    ) -> None:
        super().__init__()
        self.settings = settings
        self.clock = WorkerClock()
        self._worker = worker
        self._line = line
        self._sender = sender
        self._engine = engine  # the socket of its own server
        self._dropped_s = 0.0

    async def drain(self) -> None:
        """Every call has ended: wait for the last answers."""
        await done(self._streaming, LAST_ANSWERS_S)

    @asynccontextmanager
    async def seat(self) -> AsyncGenerator[RemoteSeat]:
        """Room in the engine's process."""
        with self.streaming():
            conversation = self._line.open()
            seat = RemoteSeat(conversation, self._sender, self._engine)
            try:
                await conversation.ask(SeatWanted(channel=conversation.channel))
                yield seat
            finally:
                if not seat.is_taken:
                    conversation.leave()

    def audio_dropped(self, seconds: float) -> None:
        """Told to the engine's process, once in a while."""
        if not self._dropped_s:
            asyncio.get_running_loop().call_later(DROPPED_EVERY_S, self._tell_dropped)
        self._dropped_s += seconds

    async def take_nonce(self, nonce: str) -> None:
        """Remembered in the engine's process, since a replay may come to another one than this."""
        conversation = self._line.open()
        try:
            await conversation.ask(NonceShown(channel=conversation.channel, nonce=nonce))
        finally:
            conversation.leave()

    def new_session_id(self) -> str:
        """Unguessable, and says which process has it."""
        return f"{self._worker}-{secrets.token_urlsafe(24)}"

    def _tell_dropped(self) -> None:
        self._line.tell(Dropped(seconds=self._dropped_s))
        self._dropped_s = 0.0


class RemoteSeat:
    """Room there; `is_taken` once a call has it."""

    def __init__(self, conversation: Conversation, sender: RingSender, engine: Path) -> None:
        self.is_taken = False
        self._conversation = conversation
        self._sender = sender
        self._engine = engine

    async def start_call(
        self,
        *,
        external_id: str | None,
        line: str | None,
        protocol: str,
        stream_id: str | None = None,
    ) -> RemoteCall:
        """Into the engine there."""
        wanted = CallWanted(
            channel=self._conversation.channel,
            protocol=protocol,
            external_id=external_id,
            line=line,
            stream_id=stream_id,
        )
        begun = await self._conversation.ask(wanted)
        assert isinstance(begun, Begun)  # a seat is asked for before
        self.is_taken = True
        return RemoteCall(begun.call_id, self._conversation, self._sender, self._engine)


class RemoteCall:
    """A call whose engine is there."""

    def __init__(
        self, id: str, conversation: Conversation, sender: RingSender, engine: Path
    ) -> None:
        self.id = id
        self.reason: EndReason | None = None
        self.failure: StreamTraceError | None = None
        self._conversation = conversation
        self._sender = sender
        self._engine = engine

    async def run(self, source: AudioSource) -> None:
        """Send what the source gives, until the engine says how the call has ended."""
        sending = asyncio.create_task(self._send(source))
        try:
            await asyncio.wait([self._conversation.ended])
            self._conclude()
        finally:
            sending.cancel()
            await asyncio.wait([sending])
            self._conversation.leave()

    async def scores(self) -> AsyncIterator[str]:
        """From the stream of the call's events, which anybody may follow."""
        events = unix_connect(
            str(self._engine),
            f"ws://engine/v1/calls/{self.id}/events",
            compression=None,
            ping_interval=None,  # when the engine dies, so does its socket
        )
        try:
            async with events as stream:
                async for text in stream:
                    if isinstance(text, str) and json.loads(text)["type"] in SCORES:
                        yield text
        except (OSError, WebSocketException) as cause:
            log.warning("scores cannot be followed", call_id=self.id, exc_info=cause)

    def _conclude(self) -> None:
        ended = self._conversation.ended.result()
        self.reason = ended.reason
        if ended.close_code is not None:
            self.failure = CallFailedThere(ended.text or FAILED_HERE, ended.close_code)

    async def _send(self, source: AudioSource) -> None:
        channel, gatherer = self._conversation.channel, Gatherer()
        last: RingItem = SourceEnded(EndReason.SOURCE_LOST)  # unless it says another end
        items = source.__aiter__()
        try:
            async for item in items:
                for going in gatherer.feed(item):
                    await self._sender.put(channel, going)
        except ProtocolViolation as violation:
            last = SourceFailed(str(violation), violation.close_code)
        except Exception as failure:
            log.error("source failed", call_id=self.id, exc_info=failure)
            last = SourceFailed(FAILED_HERE)
        finally:
            close = getattr(items, "aclose", None)
            if close is not None:
                await close()
        for going in [*gatherer.release(), last]:
            await self._sender.put(channel, going)
