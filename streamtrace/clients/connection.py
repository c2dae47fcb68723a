"""A WebSocket whose owner may leave while much is still to be read."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConcurrencyError, ConnectionClosed
from websockets.frames import CloseCode


class Leaving(ClientConnection):
    """What comes behind our close frame is thrown away, or its answer would never be read.

    websockets stops reading while its owner has sixteen messages before him; who left then would
    wait ten seconds for an answer that lies behind them.
    """

    async def close(
        self, code: CloseCode | int = CloseCode.NORMAL_CLOSURE, reason: str = ""
    ) -> None:
        """Hang up; ends when the far side has, or is not patient any more."""
        discarding = asyncio.create_task(self._discard())
        try:
            await super().close(code, reason)
        finally:
            discarding.cancel()
            await asyncio.wait([discarding])

    async def _discard(self) -> None:
        with suppress(ConnectionClosed, ConcurrencyError):  # or whoever reads goes on reading
            while True:
                await self.recv(decode=False)
