"""What a way in needs of the server: room for a call, its run to the end, and owned tasks.

`ingest.py` and `whip.py` know no more than this, so they run beside the engine (`local.py`)
and in a process of their own (`streamtrace.workers`) alike.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from streamtrace.errors import StreamTraceError
from streamtrace.ports import AudioSource, Clock
from streamtrace.settings import Settings
from streamtrace.values import EndReason


class IngestCall(Protocol):
    """A call that has begun."""

    @property
    def id(self) -> str:
        """The call's id in its events."""
        ...

    @property
    def reason(self) -> EndReason | None:
        """Why it ended; None while it is live."""
        ...

    @property
    def failure(self) -> StreamTraceError | None:
        """Why its socket is closed, if it failed."""
        ...

    async def run(self, source: AudioSource) -> None:
        """Run it to its end, whatever ends it. Raises nothing."""
        ...

    def scores(self) -> AsyncIterator[str]:
        """Its scores and its end as they come, as JSON."""
        ...


class Seat(Protocol):
    """Room kept for one call."""

    async def start_call(
        self,
        *,
        external_id: str | None,
        line: str | None,
        protocol: str,
        stream_id: str | None = None,
    ) -> IngestCall:
        """The call takes the room; raises `CallRejected` where it cannot be taken after all.

        `stream_id` is the platform's own: a stream is taken once.
        """
        ...


class Switchboard(Protocol):
    """The server, as seen from a way in."""

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        ...

    @property
    def clock(self) -> Clock:
        """The time that audio is received at."""
        ...

    def seat(self) -> AbstractAsyncContextManager[Seat]:
        """Room for one call until a far side begins it; raises `CallRejected`.

        A drain waits for whoever is in this context to leave it.
        """
        ...

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run it for as long as it takes; when the server goes down it is cancelled."""
        ...

    def audio_dropped(self, seconds: float) -> None:
        """So much audio had to give way."""
        ...

    async def take_nonce(self, nonce: str) -> None:
        """What makes a signed request the only one of its kind is shown: once, to any process.

        Raises `NotAllowed` where it was shown before, and `CallRejected` where nobody can tell.
        """
        ...

    def new_session_id(self) -> str:
        """An unguessable id for what is found again by its URL."""
        ...
