"""Keeps sealed evidence for its time: written behind the calls' backs, erased when it expires."""

from __future__ import annotations

import asyncio
from datetime import datetime

import structlog

from streamtrace.errors import EvidenceBroken
from streamtrace.ports import Clock
from streamtrace.store.vault import Vault

log = structlog.get_logger()

SWEEP_S = 30.0
MOST_WAITING = 32  # files; half a megabyte each


class EvidenceKeeper:
    """One task writes and erases; of a file that is to be written twice the newer is.

    A disk that takes no more costs the clip, not the alert: `problem` says so until one is kept.
    """

    def __init__(self, vault: Vault, clock: Clock) -> None:
        self.problem: str | None = None
        self._vault = vault
        self._clock = clock
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

    async def sweep(self) -> None:
        """Erase what has expired by now."""
        async with self._turn:
            try:
                gone = await asyncio.to_thread(self._vault.expire, self._clock.utc())
            except OSError as cause:
                self._failed(f"{self._vault.folder}: {cause.strerror}")
                return
        if gone:
            log.info("evidence expired and was erased", files=gone)

    async def run(self) -> None:
        """Until cancelled; what expired while no server ran goes first."""
        while True:
            await self.sweep()
            until_s = self._clock.now() + SWEEP_S
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
