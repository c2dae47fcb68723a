"""`python -m streamtrace.demo`, which `make demo` runs: argv, environment and exit code only."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from streamtrace.demo.callers import Caller, recorded_caller
from streamtrace.demo.plan import Route, routes_named
from streamtrace.demo.run import people, run_demo
from streamtrace.errors import StreamTraceError

_NON_TTY_COLUMNS = 140  # tables in a log or a pipe


def demo(
    human: Annotated[
        list[Path] | None, typer.Option(help="A recording of a person; may be repeated.")
    ] = None,
    mic: Annotated[
        bool, typer.Option("--mic", help="Record yourself first, call with that.")
    ] = False,
    more: Annotated[list[Path] | None, typer.Argument(metavar="FILE…", hidden=True)] = None,
    seconds: Annotated[float, typer.Option(min=1, help="The longest call.")] = 13.0,
    server: Annotated[list[str] | None, typer.Option(help="Passed on to `serve`.")] = None,
) -> None:
    """Start a server, place real calls to it and show their decisions as they come.

    KEEP=1 leaves the server up, with calls going on; PROTOCOLS=all places one over every protocol.
    """
    routes = routes_named(os.environ.get("PROTOCOLS", ""))
    humans = [_recorded(seconds)] if mic else people([*(human or []), *(more or [])])
    keep = os.environ.get("KEEP", "") not in ("", "0")
    raise typer.Exit(asyncio.run(_until_told(humans, seconds, keep, server or [], routes)))


def _recorded(seconds: float) -> Caller:
    print(f"speak into the microphone for {seconds:g} s …", file=sys.stderr)
    return asyncio.run(recorded_caller(seconds))


async def _until_told(
    humans: Sequence[Caller],
    seconds: float,
    keep: bool,
    server: Sequence[str],
    routes: Sequence[Route],
) -> int:
    """The demo; SIGTERM ends it like Ctrl-C, so that no server is left behind."""
    task = asyncio.current_task()
    assert task is not None  # we run in one
    if sys.platform != "win32":
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    console = Console(width=None if sys.stdout.isatty() else _NON_TTY_COLUMNS)
    try:
        return await run_demo(
            humans,
            seconds=seconds,
            keep=keep,
            console=console,
            server_arguments=server,
            routes=routes,
        )
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


def main() -> None:
    """Run argv with the exit codes of the other commands."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command()(demo)
    try:
        app(prog_name="python -m streamtrace.demo")
    except StreamTraceError as problem:
        print(f"streamtrace demo: {problem}", file=sys.stderr)
        sys.exit(problem.exit_code)


if __name__ == "__main__":
    main()
