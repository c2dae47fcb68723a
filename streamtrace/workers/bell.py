"""Tells another process a position in the ring, and hears one: the newest wins, nobody waits.

A message is eight bytes over a packet socket. Ringing is paced: what was written within a few
milliseconds is told together, so that many small records wake the reader a few hundred times a
second at most.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

PACE_S = 0.004
RETRY_S = 0.02  # where the far side has not heard for so long that the socket is full
_BYTES = 8
_AT_ONCE = 64  # messages read before other tasks get their turn


class Bell:
    """One end; `open` in a running loop, and `close` in the end."""

    def __init__(
        self,
        end: socket.socket,
        *,
        on_position: Callable[[int], None],
        on_lost: Callable[[], None],
    ) -> None:
        self._end = end
        self._on_position = on_position
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self._position = 0
        self._rang_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def open(self) -> None:
        """Hear from now on."""
        self._end.setblocking(False)
        self._loop.add_reader(self._end, self._hear)

    def ring(self, position: int) -> None:
        """The position is told now, or with a newer one in a moment."""
        self._position = position
        if self._timer is not None or self._closed:
            return
        wait_s = self._rang_at + PACE_S - self._loop.time()
        if wait_s <= 0:
            self._tell()
        else:
            self._timer = self._loop.call_later(wait_s, self._tell)

    def close(self) -> None:
        """Nothing is told or heard any more; harmless when done before."""
        if self._closed:
            return
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._loop.remove_reader(self._end)
        self._end.close()

    def _tell(self) -> None:
        self._timer = None
        try:
            self._end.send(self._position.to_bytes(_BYTES, "little"))
        except BlockingIOError:
            self._timer = self._loop.call_later(RETRY_S, self._tell)
        except OSError:
            self._lose()
        else:
            self._rang_at = self._loop.time()

    def _hear(self) -> None:
        newest: int | None = None
        try:
            for _ in range(_AT_ONCE):
                message = self._end.recv(_BYTES)
                if len(message) != _BYTES:
                    self._lose()
                    return
                newest = int.from_bytes(message, "little")
        except BlockingIOError:
            pass
        except OSError:
            self._lose()
            return
        if newest is not None:
            self._on_position(newest)

    def _lose(self) -> None:
        self.close()
        self._on_lost()
