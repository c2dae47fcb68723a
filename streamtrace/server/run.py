"""Runs the server: listens first, so that a taken port is told at once; drains before it goes."""

from __future__ import annotations

import asyncio
import errno
import signal
import socket
import ssl
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager

import uvicorn

from streamtrace.engine import Engine
from streamtrace.errors import SettingsError, StreamTraceError
from streamtrace.server.app import create_app
from streamtrace.server.state import ServerState
from streamtrace.settings import Settings
from streamtrace.telemetry import configure_logging

BACKLOG = 2048
LAST_ANSWERS_S = 1  # after the drain, for requests that are still being answered
INTERRUPTED = 130


class CannotListen(StreamTraceError):
    """The address cannot be listened on; the text says why and what to do."""


def serve(settings: Settings) -> int:
    """Serve until SIGTERM (0) or Ctrl-C (130); raises what is wrong before the first request."""
    configure_logging(settings.log_level, settings.log_format)
    check_tls(settings)
    with listen(settings.host, settings.port) as listener, _runner() as runner:
        return runner.run(_serve_until_told(settings, listener))


async def serve_until(
    stop: asyncio.Event,
    settings: Settings,
    listener: socket.socket,
    *,
    on_ready: Callable[[str], None],
) -> None:
    """Serve on the listener until `stop` is set, then drain; `on_ready` is told the base URL."""
    engine = Engine(settings.model, slots=settings.slots, workers=settings.workers)
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


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    place = f"{host}:{port}"
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except socket.gaierror:
        raise CannotListen(f"cannot listen on {place}: no such host; give an address") from None
    except OSError as cause:
        if cause.errno == errno.EADDRINUSE:
            reason = "the port is in use; stop what listens there, or choose another with --port"
        elif cause.errno == errno.EACCES:
            reason = "not allowed; ports under 1024 are the system's, choose another with --port"
        else:
            reason = f"{cause.strerror}; choose an address of this machine with --host"
        raise CannotListen(f"cannot listen on {place}: {reason}") from None


def check_tls(settings: Settings) -> None:
    """Raise `SettingsError` where certificate and key cannot be used."""
    if settings.tls_cert is None or settings.tls_key is None:
        return
    for key, path in (("tls_cert", settings.tls_cert), ("tls_key", settings.tls_key)):
        try:
            path.open("rb").close()
        except OSError as cause:
            raise SettingsError(f"{key}={path}: {cause.strerror}; want a PEM file") from None
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(
            settings.tls_cert, settings.tls_key
        )
    except ssl.SSLError:
        raise SettingsError(
            f"tls_cert={settings.tls_cert}, tls_key={settings.tls_key}: "
            "want a certificate chain and its own key without a password, both PEM"
        ) from None


def base_url(settings: Settings, listener: socket.socket) -> str:
    """Where the server is reached."""
    scheme = "http" if settings.tls_cert is None else "https"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{scheme}://{host}:{listener.getsockname()[1]}"


async def _serve_until_told(settings: Settings, listener: socket.socket) -> int:
    stop = asyncio.Event()
    code = 0

    def told(exit_code: int) -> None:
        nonlocal code
        code = exit_code
        stop.set()

    loop = asyncio.get_running_loop()
    if sys.platform != "win32":
        loop.add_signal_handler(signal.SIGTERM, told, 0)
        loop.add_signal_handler(signal.SIGINT, told, INTERRUPTED)
    await serve_until(stop, settings, listener, on_ready=_say_listening)
    return code


def _say_listening(url: str) -> None:
    print(f"listening on {url}", file=sys.stderr, flush=True)


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


def _runner() -> asyncio.Runner:
    if sys.platform == "win32":
        return asyncio.Runner()
    import uvloop

    return asyncio.Runner(loop_factory=uvloop.new_event_loop)
