"""Serves with uvicorn until told to stop, and drains while it still answers."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Generator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import structlog
import uvicorn
from starlette.types import ASGIApp

from streamtrace.loopback import is_loopback
from streamtrace.server.audiosocket import taking_audiosocket
from streamtrace.server.direct import DirectWebSocket
from streamtrace.server.listening import base_url, with_port_of
from streamtrace.server.patience import patient_for
from streamtrace.settings import MEMORY, Settings

if TYPE_CHECKING:
    from streamtrace.engine import Engine
    from streamtrace.store.store import Store

log = structlog.get_logger()

PING_S = 20.0
LAST_ANSWERS_S = 1  # after the drain, for requests that are still being answered


async def serve_until(
    stop: asyncio.Event,
    settings: Settings,
    listener: socket.socket,
    *,
    on_ready: Callable[[str], None],
    engine: Engine | None = None,
    audiosocket: socket.socket | None = None,
) -> None:
    """Serve on the listener until `stop` is set, then drain; `on_ready` is told the base URL.

    `audiosocket` is bound to where AudioSocket is taken, if it is. The engine is the settings'
    own, unless a measurement brings another.
    """
    # Here, for ingest processes use the rest of this module and have no engine.
    from streamtrace.server.app import create_app
    from streamtrace.server.local import LocalSwitchboard
    from streamtrace.server.state import ServerState

    settings = with_port_of(audiosocket, settings)
    # The store first: a wrong one is told before a model is loaded, and it hears the last words.
    async with AsyncExitStack() as stack:
        store = await enter_store(stack, settings)
        engine = await stack.enter_async_context(engine or open_engine(settings))
        state = await stack.enter_async_context(ServerState(settings, engine, store))
        await stack.enter_async_context(taking_audiosocket(LocalSwitchboard(state), audiosocket))
        url = base_url(settings, listener)
        server = DrainingServer(
            config(settings, create_app(state)),
            state,
            stop,
            lambda: tell_ready(engine, url, on_ready, settings),
        )
        await server.serve([listener])


async def enter_store(stack: AsyncExitStack, settings: Settings) -> Store | None:
    """What keeps the events, or None where nothing does."""
    if settings.database == MEMORY:
        return None
    from streamtrace.store.store import open_store

    return await stack.enter_async_context(open_store(settings.database))


def open_engine(settings: Settings) -> Engine:
    """The settings' own."""
    from streamtrace.engine import Engine

    return Engine(
        settings.model,
        slots=settings.slots,
        workers=settings.workers,
        device=settings.device,
        precision=settings.precision,
    )


def tell_ready(
    engine: Engine, url: str, on_ready: Callable[[str], None], settings: Settings
) -> None:
    """Where it listens comes first: whoever starts a server reads that line."""
    on_ready(url)
    if settings.audiosocket_port is not None:
        host, port = settings.audiosocket_host, settings.audiosocket_port
        log.info("taking audiosocket", host=host, port=port)
    if not settings.access_tokens and not is_loopback(settings.host):
        log.warning("reading is open to whoever reaches this port: set access_tokens")
    log.info("encoder chosen", device=engine.backend.device, why=engine.backend.text)


class Draining(Protocol):
    """Whoever has to come to an end while the server still answers."""

    async def drain(self) -> None:
        """Take nothing new, and end what there is."""
        ...


class DrainingServer(uvicorn.Server):
    """A uvicorn server that drains while it still answers, and leaves signals to its owner."""

    def __init__(
        self,
        config: uvicorn.Config,
        owner: Draining,
        stop: asyncio.Event,
        on_ready: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._owner = owner
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
            await self._owner.drain()
            self.should_exit = True
            await ticking
        finally:
            ticking.cancel()


def config(settings: Settings, app: ASGIApp, *, unix_socket: Path | None = None) -> uvicorn.Config:
    """How uvicorn serves: in public, or to our own processes on a Unix socket."""
    private = unix_socket is not None
    return uvicorn.Config(
        app,
        uds=str(unix_socket) if private else None,
        http=patient_for(settings.request_timeout_s),
        ws=DirectWebSocket,
        ws_max_size=settings.frame_limit_bytes,
        ws_per_message_deflate=False,
        ws_ping_interval=None if private else PING_S,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=not private,  # who hands the answer on adds it
        forwarded_allow_ips="*" if private else None,
        timeout_graceful_shutdown=LAST_ANSWERS_S,
        ssl_certfile=None if private else settings.tls_cert,
        ssl_keyfile=None if private else settings.tls_key,
    )
