"""Serves with ingest processes in front: this process decides, and answers on a Unix socket."""

from __future__ import annotations

import asyncio
import socket
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from streamtrace.errors import StreamTraceError
from streamtrace.server.app import create_app
from streamtrace.server.listening import base_url, with_port_of
from streamtrace.server.serving import (
    DrainingServer,
    config,
    enter_store,
    open_engine,
    tell_ready,
)
from streamtrace.server.state import ServerState
from streamtrace.settings import Settings
from streamtrace.workers.pool import WorkerPool
from streamtrace.workers.sockets import check_folder, engine_socket


async def serve_until(
    stop: asyncio.Event,
    settings: Settings,
    held: socket.socket,
    *,
    on_ready: Callable[[str], None],
    audiosocket: socket.socket | None = None,
) -> None:
    """Like `server.serving.serve_until`; `held` has the port, and its workers listen there."""
    failure: StreamTraceError | None = None
    settings = with_port_of(audiosocket, settings)  # which workers share too
    with tempfile.TemporaryDirectory(prefix="streamtrace-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        check_folder(folder)
        async with AsyncExitStack() as stack:
            store = await enter_store(stack, settings)
            engine = await stack.enter_async_context(open_engine(settings))
            state = await stack.enter_async_context(ServerState(settings, engine, store))
            address = held.getsockname()[:2]
            async with WorkerPool(state, address, folder) as pool:
                front = Front(settings, state, pool, folder, stop)
                url = base_url(settings, held)
                failure = await front.serve(lambda: tell_ready(engine, url, on_ready, settings))
    if failure is not None:
        raise failure


class Front:
    """Our own server first, then the workers; on the way down, the other way round."""

    def __init__(
        self,
        settings: Settings,
        state: ServerState,
        pool: WorkerPool,
        folder: Path,
        stop: asyncio.Event,
    ) -> None:
        self._state = state
        self._pool = pool
        self._stop = stop
        self._listening = asyncio.Event()
        self._server = DrainingServer(
            config(settings, create_app(state), unix_socket=engine_socket(folder)),
            self,
            stop,
            self._listening.set,
        )

    async def serve(self, on_ready: Callable[[], None]) -> StreamTraceError | None:
        """Until told to stop; what kept the workers from starting, if anything did."""
        serving = asyncio.create_task(self._server.serve())
        starting = asyncio.create_task(self._start(on_ready))
        try:
            await asyncio.wait([serving, starting], return_when=asyncio.FIRST_COMPLETED)
            if starting.done() and (failure := starting.exception()) is not None:
                self._stop.set()
                await serving
                if isinstance(failure, StreamTraceError):
                    return failure
                raise failure
            await serving
            return None
        finally:
            starting.cancel()
            serving.cancel()
            await asyncio.wait([starting, serving])

    async def drain(self) -> None:
        """Calls have their ends, then the workers go; our own server answers them until then."""
        await self._state.drain()
        await self._pool.stop()

    async def _start(self, on_ready: Callable[[], None]) -> None:
        await self._listening.wait()
        await self._pool.start()
        if not self._stop.is_set():
            on_ready()
