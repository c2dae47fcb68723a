"""The real server without the network's arithmetic: what all the rest of it costs.

`python -m benchmarks.bare_server [--port N] [--drop | --accuse]`: each step is answered with the
same answer at once, so that decisions are made and told. With `--drop` steps are cut and go no
further: calls are received and decoded, and all they are told is their final. With `--accuse` the
answer is that the voice is synthetic, so that calls bring alerts.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from contextlib import nullcontext

from streamtrace.configuration import load_settings
from streamtrace.server.listening import bind_audiosocket, listen
from streamtrace.server.run import spare_what_is_loaded
from streamtrace.settings import Settings


async def serve(settings: Settings, *, drop: bool, accuse: bool) -> None:
    """Until SIGTERM or Ctrl-C."""
    from benchmarks.bare_engine import BareEngine
    from streamtrace.server.serving import serve_until

    def ready(url: str) -> None:
        spare_what_is_loaded()
        print(f"listening on {url}", file=sys.stderr, flush=True)

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    with (
        listen(settings.host, settings.port) as listener,
        bind_audiosocket(settings) or nullcontext() as audiosocket,
    ):
        await serve_until(
            stop,
            settings,
            listener,
            on_ready=ready,
            engine=BareEngine(settings, drop=drop, accuse=accuse),
            audiosocket=audiosocket,
        )


def main() -> None:
    """Run argv; everything else comes from the settings."""
    # As the command line does, and as there before numpy is loaded.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    import uvloop

    from streamtrace.telemetry import configure_logging

    parser = argparse.ArgumentParser(prog="python -m benchmarks.bare_server")
    parser.add_argument("--port", type=int)
    parser.add_argument("--drop", action="store_true", help="steps are cut, and go no further")
    parser.add_argument("--accuse", action="store_true", help="every voice is synthetic")
    given = parser.parse_args()
    settings = load_settings(port=given.port)
    configure_logging(settings.log_level, settings.log_format)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(settings, drop=given.drop, accuse=given.accuse))


if __name__ == "__main__":
    main()
