"""Runs the server as a process: signals in, exit code out.

What takes its time is imported when the port is ours, so that a taken port is told at once.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from collections.abc import Callable, Coroutine
from contextlib import nullcontext
from typing import Any, TypeAlias

from streamtrace.server.listening import bind_audiosocket, check_tls, listen
from streamtrace.settings import Settings

INTERRUPTED = 130


Serving: TypeAlias = Callable[[asyncio.Event, Callable[[str], None]], Coroutine[Any, Any, None]]


def serve(settings: Settings) -> int:
    """Serve until SIGTERM (0) or Ctrl-C (130); raises what is wrong before the first request."""
    check_tls(settings)
    with (
        listen(settings.host, settings.port) as listener,
        bind_audiosocket(settings) or nullcontext() as audiosocket,
    ):

        async def serving(stop: asyncio.Event, on_ready: Callable[[str], None]) -> None:
            from streamtrace.server.serving import serve_until

            await serve_until(stop, settings, listener, on_ready=on_ready, audiosocket=audiosocket)

        return run_until_told(settings, serving)


def run_until_told(settings: Settings, serving: Serving) -> int:
    """Run it as this process; it is told to stop by its event, and says when it is ready."""
    from streamtrace.telemetry import configure_logging

    configure_logging(settings.log_level, settings.log_format)
    with new_runner() as runner:
        return runner.run(_until_told(serving))


async def _until_told(serving: Serving) -> int:
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
    await serving(stop, _say_listening)
    return code


def spare_what_is_loaded() -> None:
    """Have the garbage collector never look again at what is there when the first call comes.

    It would stop all calls for a tenth of a second every few minutes, to find nothing.
    """
    gc.collect()
    gc.freeze()


def new_runner() -> asyncio.Runner:
    """The cheapest event loop there is here."""
    if sys.platform == "win32":
        return asyncio.Runner()
    import uvloop

    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


def _say_listening(url: str) -> None:
    spare_what_is_loaded()
    print(f"listening on {url}", file=sys.stderr, flush=True)
