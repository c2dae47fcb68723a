"""Live streams out: a call's events or the alerts' over WebSocket or SSE, and the feed of calls."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from itertools import islice

import structlog
from fastapi import APIRouter
from starlette.responses import StreamingResponse
from starlette.websockets import WebSocket

from streamtrace.errors import StoreFailed
from streamtrace.events.alert_wire import feed_heartbeat
from streamtrace.events.log import WireEvent
from streamtrace.events.views import CallState, FeedHeartbeat
from streamtrace.events.wire import CALL_ENDED, HeartbeatEvent, heartbeat
from streamtrace.ports import Clock
from streamtrace.server.alert_desk import AlertDesk
from streamtrace.server.archive import KnownCall
from streamtrace.server.problems import UNREADABLE, Refusal
from streamtrace.server.query import whole
from streamtrace.server.state import ServerState
from streamtrace.sinks.changes import ChangeReader
from streamtrace.sinks.channel import EventChannel, SlowReader
from streamtrace.sinks.sse import MEDIA_TYPE, sse_message
from streamtrace.sinks.websocket import close, send_all

log = structlog.get_logger()

NO_SUCH_CALL = "no such call: it was never here, or ended too long ago to be kept"
MOST_CALLS_A_FRAME = 200
GOING_DOWN = 1012


def routes(state: ServerState) -> APIRouter:
    """The WebSocket twins of the REST routes; SSE shares the REST route itself."""
    streams = Streams(state)
    router = APIRouter()
    router.add_api_websocket_route("/v1/calls", streams.feed)
    router.add_api_websocket_route("/v1/calls/{call_id}/events", streams.events)
    router.add_api_websocket_route("/v1/alerts", streams.alerts)
    return router


@dataclass(frozen=True, slots=True)
class Story:
    """Events that can be followed; `beat` is a heartbeat behind a cursor, with an id of its own."""

    channel: EventChannel
    beat: Callable[[int, str], HeartbeatEvent]
    is_over: Callable[[], bool]


def call_story(call: KnownCall, clock: Clock) -> Story:
    """What a call says."""

    def beat(cursor: int, own: str) -> HeartbeatEvent:
        return heartbeat(
            call_id=call.id,
            external_id=call.external_id,
            sequence=cursor,
            time=clock.utc(),
            event_id=f"{call.id}-heartbeat-{own}",
        )

    return Story(call.channel, beat, lambda: call.state is CallState.ENDED)


def alert_feed(desk: AlertDesk, clock: Clock) -> Story:
    """What happens to alerts; it has no end."""

    def beat(cursor: int, own: str) -> HeartbeatEvent:
        return feed_heartbeat(sequence=cursor, time=clock.utc(), event_id=f"alerts-heartbeat-{own}")

    return Story(desk.channel, beat, lambda: False)


class Streams:
    """Sends what happens, to as many as want to hear it."""

    def __init__(self, state: ServerState) -> None:
        self._state = state

    async def events(self, socket: WebSocket, call_id: str) -> None:
        """A call's events behind `after`: those that are kept, then those that come, to the end."""
        try:
            after = whole(socket, "after", 0)
            call = await self._state.archive.find(call_id)
            if call is None:
                raise Refusal(404, NO_SUCH_CALL)
        except StoreFailed:
            await socket.send_denial_response(UNREADABLE.response())
            return
        except Refusal as refusal:
            await socket.send_denial_response(refusal.response())
            return
        await self._tell(socket, call_story(call, self._state.clock), after)

    async def alerts(self, socket: WebSocket) -> None:
        """The alerts' feed behind `after`: what is kept of it, then what comes."""
        try:
            after = whole(socket, "after", 0)
        except Refusal as refusal:
            await socket.send_denial_response(refusal.response())
            return
        await self._tell(socket, alert_feed(self._state.desk, self._state.clock), after)

    def sse(self, story: Story, after: int) -> StreamingResponse:
        """The same as Server-Sent Events."""

        async def messages() -> AsyncIterator[str]:
            with self._state.streaming():
                try:
                    async for event in self.follow(story, after):
                        yield sse_message(event)
                except SlowReader:
                    self._state.metrics.events_dropped.labels("slow_consumer").inc()
                except StoreFailed:
                    log.warning("history cannot be read")

        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(messages(), headers=headers, media_type=MEDIA_TYPE)

    async def feed(self, socket: WebSocket) -> None:
        """All calls: the newest at first, whoever else is live, and then whichever changed.

        Changes come a few times a second at most.
        """
        await self._send(socket, self._frames(), is_over=lambda: False)

    async def follow(self, story: Story, after: int) -> AsyncIterator[WireEvent]:
        """Events and, where none come for a while, heartbeats."""
        with story.channel.reader(after) as reader:
            while not reader.ended:
                events = await reader.next_events(self._state.settings.heartbeat_s)
                for event in events:
                    yield event
                if events and events[-1].type == CALL_ENDED:
                    return
                if not events and not reader.ended:
                    yield WireEvent.of(story.beat(reader.cursor, secrets.token_hex(6)))

    async def _tell(self, socket: WebSocket, story: Story, after: int) -> None:
        texts = (event.text async for event in self.follow(story, after))
        await self._send(socket, texts, is_over=story.is_over)

    async def _send(
        self, socket: WebSocket, texts: AsyncIterator[str], *, is_over: Callable[[], bool]
    ) -> None:
        """To the end, then close: 1000, 1012 if the server goes down, 1013 who is too slow."""
        metrics = self._state.metrics
        with self._state.streaming():
            await socket.accept()
            metrics.subscribers.inc()
            try:
                problem = await send_all(
                    socket, texts, send_timeout_s=self._state.settings.send_timeout_s
                )
            finally:
                metrics.subscribers.dec()
            going_down = self._state.is_draining and not is_over()
            code, reason = (GOING_DOWN, "drained") if going_down else (1000, "")
            if isinstance(problem, StoreFailed):
                log.warning("history cannot be read")
                code, reason = problem.close_code, "history_unreadable"
            elif problem is not None:
                metrics.events_dropped.labels("slow_consumer").inc()
                log.warning("subscriber too slow")
                code, reason = problem.close_code, "slow_consumer"
            await close(socket, code, reason)

    async def _frames(self) -> AsyncIterator[str]:
        settings, registry = self._state.settings, self._state.registry
        with registry.changes.reader() as reader:
            newest = [one.id for one in islice(registry.newest_first(), MOST_CALLS_A_FRAME)]
            live = [one.id for one in registry.newest_first(state=CallState.LIVE)]
            yield self._frame(newest)
            for ids in _parts([id for id in live if id < newest[-1]]):
                yield self._frame(ids)
            while not reader.ended:
                await asyncio.sleep(settings.feed_interval_s)
                yield await self._next_frame(reader)

    async def _next_frame(self, reader: ChangeReader) -> str:
        ids = await reader.take(MOST_CALLS_A_FRAME, self._state.settings.heartbeat_s)
        if ids or reader.ended:
            return self._frame(ids)
        now = self._state.clock.utc().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return FeedHeartbeat(time=now).model_dump_json()

    def _frame(self, ids: Iterable[str]) -> str:
        """A `CallsFrame`, of calls that are JSON already: many watch, and each change is one."""
        texts = (self._state.registry.text(id) for id in ids)
        return f'{{"calls":[{",".join(text for text in texts if text is not None)}]}}'


def _parts(ids: list[str]) -> Iterable[list[str]]:
    """For a frame each."""
    for at in range(0, len(ids), MOST_CALLS_A_FRAME):
        yield ids[at : at + MOST_CALLS_A_FRAME]
