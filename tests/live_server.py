"""A whole server on a free loopback port, its engine inside the test's own event loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from typing import Any

from structlog.testing import capture_logs

from streamtrace.server import serving as server
from streamtrace.server.listening import bind, bind_audiosocket, listen
from streamtrace.settings import Settings
from streamtrace.workers import serving as workers


@asynccontextmanager
async def live_server(
    *, send_buffer_bytes: int | None = None, **settings: Any
) -> AsyncIterator[str]:
    """Its base URL; it drains on the way out."""
    # What else the tests do must not make it refuse calls.
    own = {"slots": 32, "workers": 1, "drain_s": 2.0, "max_load": 1000.0}
    given = Settings(**own | settings)
    stop = asyncio.Event()
    url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    # Unconfigured, structlog would write to stdout, where tests look for data.
    shared = bool(given.ingest_workers)
    with (
        capture_logs(),
        _bound(given) as listener,
        bind_audiosocket(given, shared=shared) or nullcontext() as audiosocket,
    ):
        if send_buffer_bytes is not None:  # the system's own would take megabytes
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer_bytes)
        async with asyncio.TaskGroup() as group:
            serve_until = workers.serve_until if given.ingest_workers else server.serve_until
            serving = group.create_task(
                serve_until(stop, given, listener, on_ready=url.set_result, audiosocket=audiosocket)
            )
            await asyncio.wait([serving, url], return_when=asyncio.FIRST_COMPLETED)
            try:
                yield url.result() if url.done() else ""
            finally:
                stop.set()


def _bound(settings: Settings) -> socket.socket:
    if settings.ingest_workers:
        return bind(settings.host, 0, shared=True)
    return listen(settings.host, 0)
