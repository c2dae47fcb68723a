"""Serves with uvicorn until told to stop, and drains while it still answers."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager

import structlog
import uvicorn

from streamtrace.engine import Engine
from streamtrace.server.app import create_app
from streamtrace.server.listening import base_url
from streamtrace.server.state import ServerState
from streamtrace.settings import Settings

log = structlog.get_logger()

LAST_ANSWERS_S = 1  # after the drain, for requests that are still being answered


async def serve_until(
    stop: asyncio.Event,
    settings: Settings,
    listener: socket.socket,
    *,
    on_ready: Callable[[str], None],
) -> None:
    """Serve on the listener until `stop` is set, then drain; `on_ready` is told the base URL."""
    engine = Engine(
        settings.model,
        slots=settings.slots,
        workers=settings.workers,
        device=settings.device,
        precision=settings.precision,
    )
    log.info("encoder chosen", device=engine.backend.device, why=engine.backend.text)
    async with engine, ServerState(settings, engine) as state:
        url = base_url(settings, listener)
        server = DrainingServer(_config(settings, state), state, stop, lambda: on_ready(url))
        await server.serve([listener])


class DrainingServer(uvicorn.Server):
    """A uvicorn server that drains while it still answers, and leaves signals to its owner."""

    def __init__(
        self,
        config: uvicorn.Config,
        state: ServerState,
        stop: asyncio.Event,
        on_ready: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._state = state
        self._stop = stop
        self._on_ready = on_ready

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Uvicorn would raise SIGTERM again when it has ended well."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Say when requests are answered."""
        await super().startup(sockets)
        self._on_ready()

    async def main_loop(self) -> None:
        """Tick as uvicorn does, until told to stop; calls have their end before connections do."""
        ticking = asyncio.create_task(super().main_loop())
        try:
            await self._stop.wait()
            await self._state.drain()
            self.should_exit = True
            await ticking
        finally:
            ticking.cancel()


def _config(settings: Settings, state: ServerState) -> uvicorn.Config:
    return uvicorn.Config(
        create_app(state),
        http="httptools",
        ws="websockets-sansio",
        ws_max_size=settings.frame_limit_bytes,
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=LAST_ANSWERS_S,
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
    )
