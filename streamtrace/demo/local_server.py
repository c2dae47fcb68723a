"""A server of our own on a free loopback port, for as long as a block of code runs."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import deque
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx

import streamtrace
from streamtrace.errors import CallFailed

SERVE = ("streamtrace", "serve")
READY_S = 60.0
DRAIN_S = 15.0  # the server promises its last events within 10 s
_KEPT_LINES = 20
_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(streamtrace.__file__)))


@dataclass(frozen=True, slots=True)
class LocalServer:
    """Where it listens, its process id, and the last lines that it logged."""

    url: str
    pid: int
    last_lines: deque[str]


@asynccontextmanager
async def local_server(
    *arguments: str,
    program: Sequence[str] = SERVE,
    settings: Mapping[str, object] | None = None,
) -> AsyncGenerator[LocalServer]:
    """`streamtrace serve` on the embedded defaults; stopped on the way out, whatever happens.

    CallFailed, with its last words, if it never gets ready. It runs in an empty folder and without
    STREAMTRACE_ variables but those that `settings` names, so that no settings of this machine have
    a say. `program` is the module to run, and what it is told before the arguments.
    """
    with tempfile.TemporaryDirectory(prefix="streamtrace-") as folder:
        port = free_port()
        database = f"sqlite:///{folder}/streamtrace.db"  # as the default is, and leaves no litter
        chosen = {"database": database, **(settings or {}), "host": "127.0.0.1", "port": port}
        process = await _start(folder, [*program, *arguments], _variables(chosen))
        lines: deque[str] = deque(maxlen=_KEPT_LINES)
        reading = asyncio.create_task(_keep_last_lines(process, lines))
        try:
            server = LocalServer(f"http://127.0.0.1:{port}", process.pid, lines)
            await _until_ready(server, process)
            yield server
        finally:
            await _stop(process)
            await reading


def _variables(settings: Mapping[str, object]) -> dict[str, str]:
    inherited = os.environ.get("PYTHONPATH")
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith("STREAMTRACE_")
    }
    chosen = {f"STREAMTRACE_{name.upper()}": str(value) for name, value in settings.items()}
    path = os.pathsep.join(path for path in (_ROOT, inherited) if path)
    return kept | chosen | {"PYTHONPATH": path}


async def _start(folder: str, program: Sequence[str], variables: Mapping[str, str]) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        *program,
        cwd=folder,
        env=variables,
        stdin=DEVNULL,
        stdout=DEVNULL,
        stderr=PIPE,
        limit=1 << 20,
        start_new_session=True,  # Ctrl-C is ours to answer: calls end first, then the server
    )


async def _until_ready(server: LocalServer, process: Process) -> None:
    deadline = asyncio.get_running_loop().time() + READY_S
    async with httpx.AsyncClient(trust_env=False, timeout=2.0) as http:
        while asyncio.get_running_loop().time() < deadline:
            if process.returncode is not None:
                await asyncio.sleep(0.1)  # let its last lines come in
                break
            try:
                answer = await http.get(f"{server.url}/readyz")
                if answer.is_success:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.05)
    raise CallFailed(
        f"the server did not get ready (exit code {process.returncode}); its last lines:\n"
        + "\n".join(server.last_lines)
    )


async def _keep_last_lines(process: Process, lines: deque[str]) -> None:
    assert process.stderr is not None  # we asked for a pipe
    async for line in process.stderr:
        lines.append(line.decode(errors="replace").rstrip())


async def _stop(process: Process) -> None:
    if process.returncode is None:
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), DRAIN_S)
        except TimeoutError:
            process.kill()
            await process.wait()


def free_port() -> int:
    """One that nobody has at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
