"""Paced calls of the load generator: each sends its own frames, and one wheel tells them when."""

from __future__ import annotations

import asyncio
import base64
import secrets
from dataclasses import dataclass, field
from typing import cast

from benchmarks.twilio_frames import CLOSE, FRAME_MS, PING, PONG, TwilioScript, client_frame
from benchmarks.twilio_outcome import CallOutcome
from streamtrace.clients.place import new_external_id

TICK_S = FRAME_MS / 1000
SLOTS = FRAME_MS  # a tick's calls go out by the millisecond of their phase


class TwilioCall(asyncio.Protocol):
    """One call: connects, then sends its frames when the wheel says so."""

    def __init__(self, script: TwilioScript, begin_tick: int, host: str) -> None:
        self.outcome = CallOutcome(new_external_id())
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._script = script
        self._begin_tick = begin_tick
        self._host = host
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade."""
        self._transport = transport = cast("asyncio.Transport", transport)
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        transport.write(
            f"GET /v1/ingest/twilio HTTP/1.1\r\nHost: {self._host}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        """The answer to the upgrade, then pings and the close."""
        self._received += data
        if not self._is_open:
            self._read_answer()
        while self._is_open and self._read_frame():
            pass

    def connection_lost(self, exc: Exception | None) -> None:
        """Refused, closed or broken."""
        if not self._is_open and self.outcome.failure is None:
            self.outcome.failure = "no answer to the upgrade"
        elif self.outcome.close_code is None and self.outcome.failure is None:
            self.outcome.failure = "the connection broke"
        self._is_open = False
        if not self.closed.done():
            self.closed.set_result(None)

    def tick(self, number: int) -> None:
        """Send what is due; a call that was connected late begins late, and leaves nothing out."""
        if not self._is_open or self._transport is None:
            self._begin_tick = max(self._begin_tick, number + 1)
            return
        frame = number - self._begin_tick
        if 0 <= frame < len(self._script.media):
            self._transport.write(self._script.media[frame])
            self.outcome.frames_sent += 1
        elif frame == len(self._script.media):
            self._transport.write(self._script.stop)

    def give_up(self) -> None:
        """It should have been closed by now."""
        if not self.closed.done():
            self.outcome.failure = self.outcome.failure or "the server never closed"
            if self._transport is not None:
                self._transport.abort()

    def _read_answer(self) -> None:
        head, end, rest = self._received.partition(b"\r\n\r\n")
        if not end or self._transport is None:
            return
        status = head.split(b" ", 2)[1].decode()
        self._received = rest
        if status == "101":
            self._is_open = True
            self._transport.write(self._script.opening(self.outcome.external_id))
        else:
            self.outcome.failure = f"HTTP {status}"
            self._transport.close()

    def _read_frame(self) -> bool:
        """Take one frame of the server's, if it is whole."""
        data = self._received
        if len(data) < 2:
            return False
        opcode, length, at = data[0] & 15, data[1], 2
        if length == 126:
            length, at = int.from_bytes(data[2:4], "big"), 4
        if len(data) < at + length:
            return False
        payload, self._received = data[at : at + length], data[at + length :]
        assert self._transport is not None
        if opcode == PING:
            self._transport.write(client_frame(PONG, payload))
        elif opcode == CLOSE:
            self.outcome.close_code = int.from_bytes(payload[:2], "big")
            self.outcome.close_reason = payload[2:].decode(errors="replace")
            self._transport.write(client_frame(CLOSE, payload[:2]))
            self._transport.close()
        return True


@dataclass(slots=True)
class Wheel:
    """One timer for all calls: every 20 ms each has its turn, in the millisecond of its phase."""

    begin_s: float  # loop time of tick 0
    ticks: int
    slots: list[list[TwilioCall]] = field(
        default_factory=lambda: [list[TwilioCall]() for _ in range(SLOTS)]
    )
    late_ms: list[float] = field(default_factory=list[float])

    async def turn(self) -> None:
        """Round and round, to the last tick."""
        busy = [(slot, calls) for slot, calls in enumerate(self.slots) if calls]
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        turns = ((tick, slot, calls) for tick in range(self.ticks) for slot, calls in busy)

        def due_s(tick: int, slot: int) -> float:
            return self.begin_s + tick * TICK_S + slot * TICK_S / SLOTS

        def fire(tick: int, slot: int, calls: list[TwilioCall]) -> None:
            while True:
                self.late_ms.append(1000 * (loop.time() - due_s(tick, slot)))
                for call in calls:
                    call.tick(tick)
                following = next(turns, None)
                if following is None:
                    done.set_result(None)
                    return
                tick, slot, calls = following
                if due_s(tick, slot) > loop.time():
                    loop.call_at(due_s(tick, slot), fire, tick, slot, calls)
                    return

        first = next(turns)
        loop.call_at(due_s(first[0], first[1]), fire, *first)
        await done
