"""Keeps sealed evidence for its time: written behind the calls' backs, erased when it expires."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime

import structlog

from streamtrace.errors import EvidenceBroken
from streamtrace.ports import Clock
from streamtrace.store.vault import Vault

log = structlog.get_logger()

SWEEP_S = 30.0
MOST_WAITING = 32  # files; half a megabyte each
MOST_NAMED = 8  # files in a line of the log


class EvidenceKeeper:
    """One task writes and erases; of a file that is to be written twice the newer is.

    A disk that takes no more costs the clip, not the alert: `problem` says so until one is kept.
    What cannot be erased keeps nothing else from it: `overdue` says so until all of it is gone.
    """

    def __init__(
        self, vault: Vault, clock: Clock, count_overdue: Callable[[int], None] = lambda _files: None
    ) -> None:
        self.problem: str | None = None
        self.overdue: str | None = None
        self._vault = vault
        self._clock = clock
        self._count_overdue = count_overdue
        self._waiting: dict[str, tuple[bytes, datetime]] = {}
        self._wake = asyncio.Event()
        self._turn = asyncio.Lock()

    def put(self, name: str, content: bytes, expires: datetime) -> None:
        """Soon."""
        if name not in self._waiting and len(self._waiting) >= MOST_WAITING:
            self._failed("too much waits to be written")
            return
        self._waiting[name] = content, expires
        self._wake.set()

    async def get(self, name: str) -> bytes | None:
        """None where there is none any more; raises `EvidenceBroken`."""
        await self.flushed()
        try:
            return await asyncio.to_thread(self._vault.get, name, self._clock.utc())
        except OSError as cause:
            raise EvidenceBroken(f"{name} cannot be read: {cause.strerror}") from None

    async def expiry(self, name: str) -> datetime | None:
        """Until when it can be had."""
        await self.flushed()
        return await asyncio.to_thread(self._vault.expiry, name, self._clock.utc())

    async def flushed(self) -> None:
        """What was put until now is written, or given up."""
        async with self._turn:
            while self._waiting:
                name = next(iter(self._waiting))
                content, expires = self._waiting.pop(name)
                try:
                    await asyncio.to_thread(self._vault.put, name, content, expires)
                    self.problem = None
                except OSError as cause:
                    self._failed(f"{self._vault.folder}: {cause.strerror}")

    async def erase(self, name: str) -> None:
        """Before its time; where that cannot be, it goes when it expires."""
        async with self._turn:
            self._waiting.pop(name, None)
            try:
                await asyncio.to_thread(self._vault.erase, name)
            except OSError as cause:
                log.error("evidence stays until it expires", file=name, why=cause.strerror)

    async def sweep(self) -> None:
        """Erase what has expired by now."""
        async with self._turn:
            swept = await asyncio.to_thread(self._vault.expire, self._clock.utc())
        if swept.gone:
            log.info("evidence expired and was erased", files=swept.gone)
        self._count_overdue(len(swept.stays))
        self._stays(swept.stays)

    async def run(self) -> None:
        """Until cancelled; what expired while no server ran goes first."""
        try:
            while True:
                await self.sweep()
                await self._write_until(self._clock.now() + SWEEP_S)
        except Exception:  # none is known; health must not call it well
            self.overdue = "nothing is erased any more, the log says why: restart this server"
            raise

    async def _write_until(self, until_s: float) -> None:
        while (left_s := until_s - self._clock.now()) > 0:
            try:
                async with asyncio.timeout(left_s):
                    await self._wake.wait()
            except TimeoutError:
                break
            self._wake.clear()
            await self.flushed()

    def _failed(self, problem: str) -> None:
        if self.problem is None:  # once
            log.error("evidence cannot be kept: alerts have no clips", problem=problem)
        self.problem = problem

    def _stays(self, files: Sequence[str]) -> None:
        before = self.overdue
        self.overdue = None
        if files:
            count = f"{len(files)} files" if len(files) > 1 else "a file"
            self.overdue = f"{self._vault.folder}: {count} cannot be erased in time ({files[0]})"
        if self.overdue == before:  # said already
            return
        if files:
            some = list(files[:MOST_NAMED])
            log.error("evidence cannot be erased: it stays", files=len(files), some=some)
        else:
            log.info("evidence that stayed is gone")
