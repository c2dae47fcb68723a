"""The switchboard of a server whose ways in are in the engine's own process."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from streamtrace.errors import StreamTraceError
from streamtrace.events.wire import CALL_ENDED
from streamtrace.ports import AudioSource, Clock
from streamtrace.server.live_call import LiveCall
from streamtrace.server.state import Seat, ServerState
from streamtrace.settings import Settings
from streamtrace.values import EndReason

WAIT_S = 60.0  # between looks whether a call has said anything


class LocalSwitchboard:
    """A `Switchboard` on the server's state."""

    def __init__(self, state: ServerState) -> None:
        self._state = state

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self._state.settings

    @property
    def clock(self) -> Clock:
        """The engine's."""
        return self._state.clock

    @asynccontextmanager
    async def seat(self) -> AsyncGenerator[LocalSeat]:
        """Room for one call."""
        with self._state.streaming(), self._state.seat() as seat:
            yield LocalSeat(self._state, seat)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """A task of the server's."""
        return self._state.spawn(work)

    def audio_dropped(self, seconds: float) -> None:
        """Count it."""
        self._state.metrics.audio_dropped_seconds.inc(seconds)

    async def take_nonce(self, nonce: str) -> None:
        """Remembered here."""
        self._state.take_nonce(nonce)

    def new_session_id(self) -> str:
        """Unguessable."""
        return secrets.token_urlsafe(24)


class LocalSeat:
    """Room in this process."""

    def __init__(self, state: ServerState, seat: Seat) -> None:
        self._state = state
        self._seat = seat

    async def start_call(
        self,
        *,
        external_id: str | None,
        line: str | None,
        protocol: str,
        stream_id: str | None = None,
    ) -> LocalCall:
        """Into the engine."""
        self._seat.leave()
        live = self._state.start_call(
            external_id=external_id, line=line, protocol=protocol, stream_id=stream_id
        )
        return LocalCall(self._state, live)


class LocalCall:
    """A call whose engine is here."""

    def __init__(self, state: ServerState, live: LiveCall) -> None:
        self._state = state
        self._live = live

    @property
    def id(self) -> str:
        """The call's id."""
        return self._live.id

    @property
    def reason(self) -> EndReason | None:
        """Why it ended."""
        return self._live.reason

    @property
    def failure(self) -> StreamTraceError | None:
        """What failed, if anything."""
        return self._live.failure

    async def run(self, source: AudioSource) -> None:
        """Drive it to its end."""
        await self._state.run(source, self._live)

    async def scores(self) -> AsyncIterator[str]:
        """What the call's own channel says, without the rest."""
        with self._live.channel.reader() as reader:
            while not reader.ended:
                for event in await reader.next_events(WAIT_S):
                    if event.is_score or event.type == CALL_ENDED:
                        yield event.text
