"""The command line: argv only; what each command does is in `streamtrace.commands`.

Every command is imported when it runs, so that `streamtrace --help` loads neither the engine nor
the server.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from streamtrace.errors import StreamTraceError

app = typer.Typer(
    name="streamtrace",
    help="Real-time call screening: is the voice synthetic, which system made it, how sure.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
model_app = typer.Typer(no_args_is_help=True, help="What a model bundle holds.")
config_app = typer.Typer(no_args_is_help=True, help="The server's settings.")
app.add_typer(model_app, name="model")
app.add_typer(config_app, name="config")

LOCAL_SERVER = "http://127.0.0.1:8080"


class Format(StrEnum):
    """How `trace` prints its results."""

    TABLE = "table"
    JSONL = "jsonl"


class Benchmark(StrEnum):
    """What `bench` can measure."""

    LATENCY = "latency"
    CAPACITY = "capacity"
    ROOFLINE = "roofline"
    SOAK = "soak"
    OVERLOAD = "overload"


class Protocol(StrEnum):
    """How `call` can reach a server."""

    WHIP = "whip"
    TWILIO = "twilio"
    SIGNALWIRE = "signalwire"
    TELNYX = "telnyx"
    PLIVO = "plivo"
    EXOTEL = "exotel"
    AUDIOHOOK = "audiohook"
    ASTERISK = "asterisk"
    AUDIOSOCKET = "audiosocket"
    JAMBONZ = "jambonz"
    AUDIOFORK = "audiofork"
    VONAGE = "vonage"
    PCM = "pcm"


Model = Annotated[
    Path | None, typer.Option("--model", help="Model directory.", show_default="the packaged one")
]


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="TCP port; 0 takes a free one.")] = None,
    model: Model = None,
    tls_cert: Annotated[Path | None, typer.Option(help="Certificate chain, PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its private key, PEM.")] = None,
    ingest_workers: Annotated[
        int | None, typer.Option(help="Processes that take calls in (Linux); 0: none apart.")
    ] = None,
) -> None:
    """Take live calls. Environment (STREAMTRACE_…) over streamtrace.toml over defaults."""
    from streamtrace.commands import serve as command

    _exit(
        command.run(
            host=host,
            port=port,
            model=model,
            tls_cert=tls_cert,
            tls_key=tls_key,
            ingest_workers=ingest_workers,
        )
    )


@app.command()
def trace(
    paths: Annotated[
        list[str] | None, typer.Argument(metavar="PATH…", help="Files, folders.")
    ] = None,
    manifest: Annotated[Path | None, typer.Option(help="CSV with a column `path`.")] = None,
    format: Annotated[
        Format | None, typer.Option(help="Default: table; jsonl with --events.")
    ] = None,
    events: Annotated[bool, typer.Option("--events", help="Event lines too (jsonl).")] = False,
    legs: Annotated[bool, typer.Option("--legs", help="Trace each channel apart.")] = False,
    chunk_ms: Annotated[
        int, typer.Option(min=1, max=60_000, help="Feed that much at once; changes no result.")
    ] = 240,
    model: Model = None,
) -> None:
    """Put files through the very same engine, as fast as it goes."""
    from streamtrace.commands import trace as command

    _exit(
        command.run(
            paths or [],
            manifest=manifest,
            as_table=format is Format.TABLE or (format is None and not events),
            with_events=events,
            by_leg=legs,
            chunk_ms=chunk_ms,
            model=model,
        )
    )


@app.command()
def mic(
    device: Annotated[str | None, typer.Option(help="Its number or a part of its name.")] = None,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="Stop by itself.")] = None,
    model: Model = None,
) -> None:
    """Trace the microphone, live, until Ctrl-C."""
    from streamtrace.commands import mic as command

    _exit(command.run(device=device, seconds=seconds, model=model))


@app.command()
def watch(
    url: Annotated[str, typer.Argument(help="The server's base URL.")] = LOCAL_SERVER,
    calls: Annotated[
        str | None, typer.Option(metavar="ID", help="This one alone, by either of its ids.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Who works the alerts.", show_default="who is logged in")
    ] = None,
) -> None:
    """Show the live picture of a server in the terminal; as lines of JSON elsewhere.

    Keys: j and k move, Tab changes the table; a acknowledges, e escalates, d dismisses an alert.
    """
    from streamtrace.commands import watch as command

    _exit(command.run(url, call=calls, actor=name))


@app.command()
def call(
    url: Annotated[str, typer.Argument(help="The server's base URL.")],
    file: Annotated[Path, typer.Argument(help="The audio to send.")],
    protocol: Annotated[Protocol, typer.Option(help="How to reach the server.")],
    codec: Annotated[str | None, typer.Option(help="Default: the protocol's own.")] = None,
    calls: Annotated[int, typer.Option(min=1, help="So many at once.")] = 1,
    loss: Annotated[float, typer.Option(min=0, max=100, help="Packets lost, percent.")] = 0.0,
    burst: Annotated[int, typer.Option(min=1, help="Lost that many at a time.")] = 1,
    jitter: Annotated[float, typer.Option(min=0, help="Delay spread, ms.")] = 0.0,
    reorder: Annotated[float, typer.Option(min=0, max=100, help="Swapped, percent.")] = 0.0,
) -> None:
    """Place FILE as a paced call against a running server.

    STREAMTRACE_INGEST_TOKEN and STREAMTRACE_TWILIO_AUTH_TOKEN in the environment prove who calls.
    """
    from streamtrace.commands import call as command

    _exit(
        command.run(
            url,
            file,
            protocol=protocol.value,
            codec=codec,
            calls=calls,
            loss=loss,
            burst=burst,
            jitter=jitter,
            reorder=reorder,
        )
    )


@app.command()
def bench(
    benchmark: Annotated[Benchmark, typer.Argument(help="What to measure.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    calls: Annotated[
        int | None,
        typer.Option(min=1, help="Calls at once; capacity: at most; overload: the capacity."),
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(min=2, help="Length of each run; soak: of the call, in call time."),
    ] = None,
    model: Model = None,
) -> None:
    """Measure this machine; runs from a checkout of the repository."""
    from streamtrace.commands import bench as command

    _exit(command.run(benchmark.value, as_json=as_json, calls=calls, seconds=seconds, model=model))


@app.command()
def doctor() -> None:
    """Say what works on this machine, and what to do about what does not."""
    from streamtrace.commands import doctor as command

    _exit(command.run())


@model_app.command("show")
def model_show(
    directory: Annotated[Path | None, typer.Argument(metavar="DIR")] = None,
) -> None:
    """Say what a bundle holds; without DIR, the packaged one."""
    from streamtrace.commands import model as command

    _exit(command.show(directory))


@model_app.command("verify")
def model_verify(
    directory: Annotated[Path | None, typer.Argument(metavar="DIR")] = None,
) -> None:
    """Check every file of a bundle against its manifest."""
    from streamtrace.commands import model as command

    _exit(command.verify(directory))


@config_app.command("show")
def config_show() -> None:
    """Print the settings in force."""
    from streamtrace.commands import config as command

    _exit(command.show())


@config_app.command("check")
def config_check() -> None:
    """Exit 0 if the settings are sound, 2 with the reason if not."""
    from streamtrace.commands import config as command

    _exit(command.check())


@config_app.command("schema")
def config_schema() -> None:
    """Print the settings' JSON Schema."""
    from streamtrace.commands import config as command

    _exit(command.schema())


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run argv and exit: 0 done, 1 a run failed, 2 bad input or usage, 130 interrupted."""
    # A decision multiplies one row with a matrix, many times a second: threads inside such products
    # only wait for each other, and take the cores from calls. Read when numpy is first imported.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        app(arguments, prog_name="streamtrace")
    except StreamTraceError as problem:
        print(f"streamtrace: {problem}", file=sys.stderr)
        sys.exit(problem.exit_code)
    sys.exit(0)


def _exit(code: int) -> NoReturn:
    raise typer.Exit(code)
