"""Starts the ingest processes, starts them again when they die, and sees all of them gone."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, Process
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import structlog

import streamtrace
from streamtrace.configuration import handed_on
from streamtrace.errors import StreamTraceError
from streamtrace.server.state import ServerState
from streamtrace.workers.channels import WorkerChannels
from streamtrace.workers.control import FROM_WORKER, MOST_LINE_BYTES, Hello, Link, Stop
from streamtrace.workers.pipes import EngineEnds, lay_pipes

log = structlog.get_logger()

FIRST_PAUSE_S = 0.1  # before a dead one is started again; twice as long after each failure
LONGEST_PAUSE_S = 10.0
SOUND_S = 30.0  # whoever lived so long died of something new
STOP_S = 1.5  # to give the last answers; a drain and this end within ten seconds
LINELESS_S = 2.0
ROOT = Path(streamtrace.__file__).parent.parent


class WorkersFailed(StreamTraceError):
    """The ingest processes did not get ready."""


class WorkerPool:
    """As an async context manager it owns its processes: behind it none of them is left."""

    def __init__(self, state: ServerState, address: tuple[str, int], folder: Path) -> None:
        self._state = state
        self._address = address
        self._folder = folder
        count = state.settings.ingest_workers
        self._ready = [asyncio.Event() for _ in range(count)]
        self._serving: dict[int, WorkerChannels] = {}
        self._keeping: set[asyncio.Task[None]] = set()
        self._processes: set[Process] = set()  # whose end has not been seen
        self._is_stopping = False
        self._has_started = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._is_stopping = True
        for keeping in self._keeping:
            keeping.cancel()
        if self._keeping:
            await asyncio.wait(self._keeping)
        for process in tuple(self._processes):  # the cancellation came while its end was awaited
            await self._reap(process)

    async def start(self) -> None:
        """Until all of them accept connections; `WorkersFailed` if one of them cannot."""
        for worker in range(len(self._ready)):
            self._keeping.add(asyncio.create_task(self._keep(worker)))
        ready = asyncio.create_task(self._all_ready())
        try:
            await asyncio.wait([ready, *self._keeping], return_when=asyncio.FIRST_COMPLETED)
        finally:
            ready.cancel()
        for keeping in self._keeping:
            if keeping.done():
                await keeping  # raises what is wrong
        self._has_started = True

    async def stop(self) -> None:
        """Their calls have ended: let them answer, and go."""
        self._is_stopping = True
        for channels in self._serving.values():
            channels.tell(Stop())
        if self._keeping:
            await asyncio.wait(self._keeping, timeout=STOP_S)

    async def _all_ready(self) -> None:
        for one in self._ready:
            await one.wait()

    def _is_ready(self, worker: int, pid: int) -> None:
        self._ready[worker].set()
        if self._has_started:
            log.info("ingest worker replaced", worker=worker, pid=pid)

    async def _keep(self, worker: int) -> None:
        """One worker after another in the same place."""
        loop = asyncio.get_running_loop()
        pause_s = FIRST_PAUSE_S
        while not self._is_stopping:
            began_at = loop.time()
            try:
                code = await self._run(worker)
            except OSError as cause:  # no process or descriptor to be had now
                log.error("ingest worker cannot be started", worker=worker, exc_info=cause)
                code = None
            if self._is_stopping:
                return
            if not self._has_started:
                raise WorkersFailed(
                    f"ingest worker {worker} ended with exit code {code} before it was ready;"
                    " what it said before says why"
                )
            if loop.time() - began_at > SOUND_S:
                pause_s = FIRST_PAUSE_S
            log.error("ingest worker died", worker=worker, exit_code=code, again_in_s=pause_s)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def _run(self, worker: int) -> int:
        """One process to its end; its exit code."""
        ours, process = await self._spawn()
        self._processes.add(process)
        try:
            reader, writer = await asyncio.open_unix_connection(
                sock=ours.line, limit=MOST_LINE_BYTES
            )
            link = Link(reader, writer, FROM_WORKER)
            channels = WorkerChannels(
                self._state, link, ours, on_ready=lambda: self._is_ready(worker, process.pid)
            )
            link.tell(
                Hello(
                    worker=worker,
                    parent=os.getpid(),
                    settings=handed_on(self._state.settings),
                    address=self._address,
                    folder=str(self._folder),
                )
            )
            self._serving[worker] = channels
            await channels.serve()
            # Without its line it goes by itself; when we stop it has its last answers to give.
            async with asyncio.timeout(STOP_S if self._is_stopping else LINELESS_S):
                await process.wait()
        except TimeoutError:
            log.info("ingest worker killed, for it did not go", worker=worker)
        finally:
            self._serving.pop(worker, None)
            code = await self._reap(process)
        return code

    async def _reap(self, process: Process) -> int:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
        code = await process.wait()
        self._processes.discard(process)
        return code

    async def _spawn(self) -> tuple[EngineEnds, Process]:
        ours, theirs = lay_pipes()
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "streamtrace.workers"),
                *theirs.arguments(),
                pass_fds=theirs.descriptors(),
                env=_environment(),
                stdin=DEVNULL,
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        return ours, process


def _environment() -> dict[str, str]:
    """Ours, and what makes it the same program."""
    inherited: dict[str, Any] = dict(os.environ)
    paths = (str(ROOT), inherited.get("PYTHONPATH"))
    inherited["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    inherited.setdefault("OPENBLAS_NUM_THREADS", "1")  # see `cli.py`
    return inherited
