"""`streamtrace doctor`: what works on this machine, and what to do about what does not."""

from __future__ import annotations

import platform
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import cast

from rich.console import Console
from rich.table import Table

from streamtrace.errors import StreamTraceError


class State(StrEnum):
    """How a check came out; only `fails` makes the exit code 1."""

    WORKS = "works"
    MISSING = "missing"  # some command or speed-up does without it
    FAILS = "fails"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    what: str
    state: State
    detail: str
    remedy: str = ""


def run() -> int:
    """Print one line a check; 1 if something that serving needs does not work."""
    findings = [check() for check in CHECKS]
    table = Table("what", "state", "detail", "what to do")
    for finding in findings:
        table.add_row(finding.what, finding.state.value, finding.detail, finding.remedy)
    Console(width=None if sys.stdout.isatty() else 160, markup=False).print(table)
    return 1 if any(finding.state is State.FAILS for finding in findings) else 0


def python_version() -> Finding:
    """3.11 to 3.13 are tested."""
    version = platform.python_version()
    if (3, 11) <= sys.version_info[:2] <= (3, 13):
        return Finding("python", State.WORKS, version)
    return Finding("python", State.FAILS, version, "use Python 3.11, 3.12 or 3.13")


def onnx_runtime() -> Finding:
    """What runs the encoder."""
    try:
        import onnxruntime
    except ImportError as cause:
        return Finding(
            "onnxruntime", State.FAILS, str(cause), "pip install onnxruntime (or onnxruntime-gpu)"
        )
    names = cast(
        "list[str]",
        onnxruntime.get_available_providers(),  # pyright: ignore[reportUnknownMemberType]
    )
    providers = ", ".join(names)
    return Finding("onnxruntime", State.WORKS, f"{onnxruntime.__version__}: {providers}")


def cuda() -> Finding:
    """Asked of the driver, not of the runtime, which complains aloud where there is none."""
    from streamtrace.encoder.cuda import cuda_absence

    absence = cuda_absence()
    if absence is None:
        return Finding("cuda", State.WORKS, "NVIDIA driver loads")
    return Finding("cuda", State.MISSING, absence, "nothing: the CPU serves")


def backend() -> Finding:
    """What would step the encoder under the settings in force."""
    from streamtrace.configuration import load_settings
    from streamtrace.encoder.backend import choose_backend

    try:
        settings = load_settings()
        chosen = choose_backend(settings.device, settings.precision)
    except StreamTraceError as problem:
        return Finding("backend", State.FAILS, str(problem), "or set device=auto")
    return Finding("backend", State.WORKS, chosen.text)


def port_audio() -> Finding:
    """Only `streamtrace mic` needs it."""
    from streamtrace.sources.mic import portaudio_version

    try:
        return Finding("portaudio", State.WORKS, portaudio_version())
    except StreamTraceError as problem:
        detail, _, remedy = str(problem).partition(": ")
        return Finding("portaudio", State.MISSING, f"{detail} (only `mic` needs it)", remedy)


def default_bundle() -> Finding:
    """The packaged model, every file against its sum."""
    from streamtrace.encoder.bundle import load_bundle

    try:
        ref = load_bundle().ref
    except StreamTraceError as problem:
        return Finding("model", State.FAILS, str(problem), "install streamtrace again")
    return Finding("model", State.WORKS, f"{ref.id} (sha256 {ref.sha256[:12]}…)")


def ffmpeg() -> Finding:
    """PyAV brings its own libraries; what counts is that they can decode."""
    try:
        import av
        from av.codec import codecs_available
    except ImportError as cause:
        return Finding("ffmpeg", State.FAILS, str(cause), "pip install av")
    wanted = {"flac", "mp3", "opus", "pcm_s16le", "pcm_mulaw"}
    if missing := sorted(wanted - codecs_available):
        return Finding(
            "ffmpeg", State.FAILS, f"no {', '.join(missing)}", "pip install --force-reinstall av"
        )
    version = ".".join(str(part) for part in av.library_versions["libavcodec"])
    return Finding("ffmpeg", State.WORKS, f"PyAV {av.__version__}, libavcodec {version}")


def listening_port() -> Finding:
    """Whether `streamtrace serve` could listen where the settings say."""
    from streamtrace.configuration import load_settings

    try:
        settings = load_settings()
    except StreamTraceError as problem:
        return Finding("settings", State.FAILS, str(problem), "see `streamtrace config check`")
    place = f"{settings.host}:{settings.port}"
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as cause:
            return Finding(
                "port",
                State.MISSING,
                f"{place}: {cause.strerror}",
                "stop what listens there, or `streamtrace serve --port`",
            )
    return Finding("port", State.WORKS, f"{place} is free")


def ingest_processes() -> Finding:
    """Whether calls can be taken in by as many processes as the settings say."""
    from streamtrace.configuration import load_settings
    from streamtrace.workers.run import check_platform

    try:
        settings = load_settings()
        check_platform(settings)
    except StreamTraceError as problem:
        return Finding("ingest", State.FAILS, str(problem), "see `streamtrace config check`")
    count = settings.ingest_workers
    detail = f"{count} processes in front of the engine's" if count else "in the engine's process"
    return Finding("ingest", State.WORKS, detail)


CHECKS: tuple[Callable[[], Finding], ...] = (
    python_version,
    onnx_runtime,
    cuda,
    backend,
    default_bundle,
    ffmpeg,
    port_audio,
    ingest_processes,
    listening_port,
)
