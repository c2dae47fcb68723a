"""An ingest process, from its first message to its last."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from contextlib import AsyncExitStack
from pathlib import Path

import structlog

from streamtrace.server.audiosocket import taking_audiosocket
from streamtrace.server.listening import BACKLOG, bind, bind_audiosocket
from streamtrace.server.serving import DrainingServer, config
from streamtrace.settings import Settings
from streamtrace.telemetry import configure_logging
from streamtrace.workers.app import WorkerApp, ingest_app
from streamtrace.workers.control import (
    FROM_ENGINE,
    MOST_LINE_BYTES,
    Begun,
    Ended,
    Fresh,
    Hello,
    Link,
    LinkBroken,
    Ready,
    Refused,
    Seated,
    Stop,
)
from streamtrace.workers.forward import Forward
from streamtrace.workers.line import EngineLine
from streamtrace.workers.pipes import WorkerEnds
from streamtrace.workers.remote import RemoteSwitchboard
from streamtrace.workers.ring import map_memory
from streamtrace.workers.sender import RingSender
from streamtrace.workers.sockets import engine_socket, worker_socket

log = structlog.get_logger()

EngineMessage = Hello | Fresh | Seated | Begun | Refused | Ended | Stop


async def work(ends: WorkerEnds) -> None:
    """Take calls in until the engine's process says stop, or is gone."""
    reader, writer = await asyncio.open_unix_connection(
        sock=socket.socket(fileno=ends.line), limit=MOST_LINE_BYTES
    )
    link = Link(reader, writer, FROM_ENGINE)
    hello = await link.next_message()
    if not isinstance(hello, Hello):
        return  # gone before it said anything
    settings = Settings(**hello.settings)
    configure_logging(settings.log_level, settings.log_format)
    structlog.contextvars.bind_contextvars(worker=hello.worker)
    sender = RingSender(
        map_memory(ends.memory), socket.socket(fileno=ends.bell), on_lost=link.close
    )
    sender.open()
    try:
        await Worker(hello, settings, link, sender).serve()
    finally:
        sender.close()
        link.close()


class Worker:
    """Its servers, and the line to the engine's process."""

    def __init__(
        self, hello: Hello, settings: Settings, link: Link[EngineMessage], sender: RingSender
    ) -> None:
        self._hello = hello
        self._settings = settings
        self._link = link
        self._folder = Path(hello.folder)
        self._line = EngineLine(link.tell)
        self._board = RemoteSwitchboard(
            hello.worker, settings, self._line, sender, engine_socket(self._folder)
        )
        self._stop = asyncio.Event()

    async def serve(self) -> None:
        """Until told to stop; the last answers still go out."""
        async with AsyncExitStack() as stack:
            listener = stack.enter_context(bind(*self._hello.address, shared=True))
            engine, *others = [
                Forward(path, send_timeout_s=self._settings.send_timeout_s)
                for path in (engine_socket(self._folder), *self._other_sockets().values())
            ]
            for forward in (engine, *others):
                stack.push_async_callback(forward.close)
            hearing = asyncio.create_task(self._hear())
            stack.callback(hearing.cancel)
            await stack.enter_async_context(self._board)
            audiosocket = bind_audiosocket(self._settings, shared=True)
            await stack.enter_async_context(taking_audiosocket(self._board, audiosocket))
            app = WorkerApp(
                self._board,
                ingest_app(self._board),
                engine,
                dict(zip(self._other_sockets(), others, strict=True)),
            )
            await self._serve_both(app, listener)
        if os.getppid() != self._hello.parent:
            shutil.rmtree(self._folder, ignore_errors=True)  # it cannot do that any more

    def _other_sockets(self) -> dict[int, Path]:
        return {
            other: worker_socket(self._folder, other)
            for other in range(self._settings.ingest_workers)
            if other != self._hello.worker
        }

    async def _serve_both(self, app: WorkerApp, listener: socket.socket) -> None:
        """The public port, and for the other processes a socket that needs no TLS."""
        own_socket = worker_socket(self._folder, self._hello.worker)
        own_socket.unlink(missing_ok=True)  # of the one before in this place
        listening = asyncio.Event()
        private = DrainingServer(
            config(self._settings, app, unix_socket=own_socket),
            self._board,
            self._stop,
            listening.set,
        )
        public = DrainingServer(
            config(self._settings, app), self._board, self._stop, self._say_ready
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(private.serve())
            await listening.wait()
            listener.listen(BACKLOG)
            await public.serve([listener])

    def _say_ready(self) -> None:
        self._link.tell(Ready())

    async def _hear(self) -> None:
        """What the engine's process says, to its end."""
        try:
            while (message := await self._link.next_message()) is not None:
                match message:
                    case Stop():
                        self._stop.set()
                    case Hello():
                        raise LinkBroken("said hello twice")
                    case answer:
                        self._line.hear(answer)
        except LinkBroken as broken:
            log.error("engine broke its protocol", problem=str(broken))
        finally:
            self._line.cut()
            self._stop.set()
