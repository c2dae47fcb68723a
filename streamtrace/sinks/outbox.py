"""What a far side is owed on its own socket: said at once by whoever owes it, sent as it reads."""

from __future__ import annotations

import asyncio

from streamtrace.errors import ProtocolViolation
from streamtrace.protocols.ingest import TRY_LATER
from streamtrace.sinks.websocket import SendingSocket, send_text

MOST_OWED = 64


class Outbox:
    """Texts go in the order they were said in; none is said any more behind `close`."""

    def __init__(self, socket: SendingSocket, *, send_timeout_s: float) -> None:
        self._socket = socket
        self._send_timeout_s = send_timeout_s
        self._owed: asyncio.Queue[str | None] = asyncio.Queue(MOST_OWED)
        self._sent = asyncio.Event()
        self._is_over = False

    def say(self, text: str) -> None:
        """Owe it. A far side that does not read what it asks for is at fault: it raises."""
        if self._is_over:
            return
        try:
            self._owed.put_nowait(text)
        except asyncio.QueueFull:
            raise ProtocolViolation(f"{MOST_OWED} replies are not read", TRY_LATER) from None

    async def room(self) -> None:
        """Until one more can be owed: who numbers what it says makes the text behind this."""
        while self._owed.full() and not self._is_over:
            self._sent.clear()
            await self._sent.wait()

    async def put(self, text: str) -> None:
        """Owe it once there is room, for what is no reply."""
        await self.room()
        self.say(text)

    async def close(self) -> None:
        """Nothing more is said; `run` ends behind what is owed."""
        await self.room()
        if not self._is_over:
            self._is_over = True
            self._owed.put_nowait(None)

    async def run(self) -> None:
        """Send until `close`; raises where the far side is gone or does not read."""
        try:
            while (text := await self._owed.get()) is not None:
                self._sent.set()
                await send_text(self._socket, text, within_s=self._send_timeout_s)
        finally:
            self._is_over = True
            while not self._owed.empty():
                self._owed.get_nowait()
            self._sent.set()  # whoever waits for room need not
