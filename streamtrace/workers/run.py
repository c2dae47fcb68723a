"""Runs the server with ingest processes: the port first, then everything else."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import nullcontext

from streamtrace.errors import SettingsError
from streamtrace.server.listening import bind, bind_audiosocket, check_tls
from streamtrace.server.run import run_until_told
from streamtrace.settings import Settings


def serve(settings: Settings) -> int:
    """Like `server.run.serve`, in `settings.ingest_workers` processes and this one."""
    check_platform(settings)
    check_tls(settings)
    if settings.port:
        # A shared port would be shared with whoever shares it already: take it alone first.
        bind(settings.host, settings.port).close()
    if settings.audiosocket_port and (alone := bind_audiosocket(settings)) is not None:
        alone.close()
    # Held without listening: a connection only ever comes to a socket that a worker accepts from.
    with (
        bind(settings.host, settings.port, shared=True) as held,
        bind_audiosocket(settings, shared=True) or nullcontext() as audiosocket,
    ):

        async def serving(stop: asyncio.Event, on_ready: Callable[[str], None]) -> None:
            from streamtrace.workers.serving import serve_until

            await serve_until(stop, settings, held, on_ready=on_ready, audiosocket=audiosocket)

        return run_until_told(settings, serving)


def check_platform(settings: Settings, platform: str = sys.platform) -> None:
    """Raise `SettingsError` where several processes cannot share a port and memory as ours do."""
    if settings.ingest_workers and not platform.startswith("linux"):
        raise SettingsError(
            f"ingest_workers={settings.ingest_workers}: needs Linux, this is {platform}; set 0"
        )
