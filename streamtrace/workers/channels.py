"""An ingest process as the engine's process sees it: each connection there is a channel here.

A channel lives like a connection that is taken in this very process: a task holds its seat, starts
its call, drives it from the ring and says how it ended. When the ingest process is gone, so is the
far side of each of its channels.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from streamtrace.errors import CallRejected
from streamtrace.server.live_call import LiveCall
from streamtrace.server.state import ServerState
from streamtrace.values import EndReason
from streamtrace.workers.backlog import RemoteSource
from streamtrace.workers.bell import Bell
from streamtrace.workers.control import (
    Begun,
    CallWanted,
    Dropped,
    Ended,
    Fresh,
    Left,
    Link,
    LinkBroken,
    Message,
    NonceShown,
    Ready,
    Refused,
    Seated,
    SeatWanted,
)
from streamtrace.workers.pipes import EngineEnds
from streamtrace.workers.records import read_item
from streamtrace.workers.ring import RingReader, RingTorn

log = structlog.get_logger()

WorkerMessage = Ready | NonceShown | SeatWanted | CallWanted | Left | Dropped


class Channel:
    """One connection at an ingest process."""

    def __init__(self, source: RemoteSource) -> None:
        self.source = source
        self.wanted: asyncio.Future[CallWanted | None] = asyncio.get_running_loop().create_future()
        self.left = asyncio.Event()

    def want(self, call: CallWanted | None) -> None:
        """The far side begins its call, or never will; only the first counts."""
        if not self.wanted.done():
            self.wanted.set_result(call)

    def leave(self) -> None:
        """The far side is gone, wherever it was."""
        self.want(None)
        self.source.lose()
        self.left.set()


class WorkerChannels:
    """The channels of one ingest process, from its start to its end."""

    def __init__(
        self,
        state: ServerState,
        link: Link[WorkerMessage],
        ends: EngineEnds,
        *,
        on_ready: Callable[[], None],
    ) -> None:
        self._state = state
        self._link = link
        self._on_ready = on_ready
        self._channels: dict[int, Channel] = {}
        self._reader = RingReader(ends.memory)
        self._bell = Bell(ends.bell, on_position=self._read, on_lost=link.close)

    async def serve(self) -> None:
        """Until the ingest process is gone, or says what it cannot say."""
        self._bell.open()
        try:
            while (message := await self._link.next_message()) is not None:
                self._hear(message)
        except LinkBroken as broken:
            log.error("ingest worker broke its protocol", problem=str(broken))
        finally:
            self._bell.close()
            self._link.close()
            for channel in self._channels.values():
                channel.leave()

    def tell(self, message: Message) -> None:
        """Say it to the ingest process."""
        self._link.tell(message)

    def _hear(self, message: WorkerMessage) -> None:
        match message:
            case Ready():
                self._on_ready()
            case NonceShown(channel=number, nonce=nonce):
                self.tell(self._seen(number, nonce))
            case SeatWanted(channel=number):
                self._open(number)
            case CallWanted(channel=number):
                if channel := self._channels.get(number):
                    channel.want(message)
            case Left(channel=number):
                if channel := self._channels.get(number):
                    channel.leave()
            case Dropped(seconds=seconds):
                self._state.metrics.audio_dropped_seconds.inc(seconds)

    def _seen(self, number: int, nonce: str) -> Fresh | Refused:
        try:
            self._state.take_nonce(nonce)
        except CallRejected as cause:
            return Refused(channel=number, text=str(cause), close_code=cause.close_code)
        return Fresh(channel=number)

    def _open(self, number: int) -> None:
        if number in self._channels:
            raise LinkBroken(f"channel {number} is open already")
        source = RemoteSource(
            most_age_s=self._state.settings.ring_ms / 1000,
            on_drop=self._state.metrics.audio_dropped_seconds.inc,
        )
        self._channels[number] = channel = Channel(source)
        self._state.spawn(self._serve(number, channel))

    async def _serve(self, number: int, channel: Channel) -> None:
        """One connection, from its seat to its leaving; see `Ingest` for its twin."""
        try:
            with self._state.streaming(), self._state.seat() as seat:
                self.tell(Seated(channel=number))
                wanted = await channel.wanted
                if wanted is None:
                    return
                seat.leave()
                live = self._state.start_call(
                    external_id=wanted.external_id,
                    line=wanted.line,
                    protocol=wanted.protocol,
                    stream_id=wanted.stream_id,
                )
                self.tell(Begun(channel=number, call_id=live.id))
                await self._state.run(channel.source, live)
                self.tell(_ended(number, live))
                await channel.left.wait()
        except CallRejected as cause:
            self.tell(Refused(channel=number, text=str(cause), close_code=cause.close_code))
        except Exception:
            self.tell(Ended(channel=number, reason=EndReason.ENGINE_FAILED, close_code=1011))
            raise
        finally:
            del self._channels[number]

    def _read(self, head: int) -> None:
        """The ring is written up to here."""
        try:
            for record in self._reader.read(head):
                # Behind the end of its call a channel is not listened to any more.
                if channel := self._channels.get(record.channel):
                    channel.source.put(read_item(record))
        except RingTorn as torn:
            log.error("ingest worker tore its ring", problem=str(torn))
            self._bell.close()
            self._link.close()
            return
        self._bell.ring(self._reader.tail)


def _ended(number: int, live: LiveCall) -> Ended:
    reason = live.reason or EndReason.SOURCE_LOST
    if live.failure is None:
        return Ended(channel=number, reason=reason)
    return Ended(
        channel=number,
        reason=reason,
        close_code=live.failure.close_code,
        text=str(live.failure),
    )
