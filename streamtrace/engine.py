"""THE LOOP: a source's audio becomes steps, frames, decisions and events, for many calls at once.

Follow one call: `drive` takes what its source gives; `Call.feed` has each step encoded and
publishes what the session makes of it; `Call.end` sees to it that every story has its end.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from typing import Self

from streamtrace.call import Call
from streamtrace.encoder.backend import DeviceName, Precision, choose_backend
from streamtrace.encoder.batcher import Encoder
from streamtrace.encoder.bundle import load_bundle
from streamtrace.errors import ProtocolViolation
from streamtrace.events.events import Event
from streamtrace.events.wire import CloudEvent
from streamtrace.ports import (
    AudioSource,
    CallBound,
    Clock,
    EventSink,
    LegAudio,
    LegDtmf,
    LegOpened,
    SourceEnded,
    SourceItem,
)
from streamtrace.values import EndReason, Leg, Step

__all__ = ["Call", "Engine", "SystemClock", "drive", "new_call_id"]

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


async def drive(source: AudioSource, call: Call, *, until_s: float = inf) -> EndReason:
    """Run one call from its source until either ends; whatever happens, the call has its finals.

    Audio received behind `until_s` ends it too; a source without any audio ends by itself.

    Returns why it ended. An error of the source, or a cancellation (a drain), is raised again
    when the call has been told how it ended.
    """
    reason, error = EndReason.SOURCE_LOST, None
    items = source.__aiter__()
    try:
        async for item in items:
            match item:
                case LegAudio(leg, chunk, received_at_s, gap_cause):
                    if received_at_s > until_s:
                        reason = EndReason.TOO_LONG
                        break
                    await call.feed(chunk, leg, received_at_s, gap_cause)
                case LegOpened(leg, codec, rate_hz):
                    call.open_leg(leg, codec=codec, rate_hz=rate_hz)
                case CallBound(external_id):
                    call.bind(external_id)
                case LegDtmf():
                    pass  # keys are no evidence
                case SourceEnded(reason):
                    break
            if call.ended:
                break
    except ProtocolViolation as cause:
        reason, error = EndReason.PROTOCOL_ERROR, str(cause)
        raise
    except asyncio.CancelledError:
        reason = EndReason.DRAINED
        raise
    except Exception as cause:
        error = str(cause)
        raise
    finally:
        try:
            await call.end(reason, error)
        finally:
            await _closed(items)
    return call.ended or reason


class Engine:
    """One model and its slots; an async context manager, which ends the calls that are left."""

    kind_of_call: type[Call] = Call  # measurements bring another

    def __init__(
        self,
        model: Path | str | None = None,
        *,
        slots: int = 256,
        workers: int | None = None,
        device: DeviceName = "auto",
        precision: Precision = "fp32",
        clock: Clock | None = None,
    ) -> None:
        self.clock = clock or SystemClock()
        self.bundle = load_bundle(None if model is None else Path(model))
        self.backend = choose_backend(device, precision)
        self.encoder = Encoder.of(
            self.bundle, slots=slots, workers=workers, backend=self.backend, now=self.clock.now
        )
        self._calls: dict[str, Call] = {}

    @property
    def calls(self) -> tuple[Call, ...]:
        """The calls that have not ended, oldest first."""
        return tuple(self._calls.values())

    async def __aenter__(self) -> Self:
        await self.encoder.__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        try:
            async with asyncio.TaskGroup() as endings:
                for call in self.calls:
                    endings.create_task(call.end(EndReason.DRAINED))
        finally:
            await self.encoder.__aexit__(*exc_info)

    def open_call(
        self,
        *,
        external_id: str | None = None,
        line: str | None = None,
        protocol: str = "api",
        call_id: str | None = None,
        sink: EventSink[CloudEvent] | None = None,
        hear: Callable[[Event], None] | None = None,
        listen: Callable[[Leg, Step], None] | None = None,
    ) -> Call:
        """A new call; its legs take a slot each when they open.

        `hear` is told each event as the session says it, right before the sink gets it stamped;
        `listen` each step of audio that was encoded, right before what it led to is said.
        """
        call = self.kind_of_call(
            call_id or new_call_id(self.clock.utc()),
            encoder=self.encoder,
            model=self.bundle.trace_model,
            clock=self.clock,
            external_id=external_id,
            line=line,
            protocol=protocol,
            sink=sink,
            on_end=self._forget,
            hear=hear,
            listen=listen,
        )
        self._calls[call.id] = call
        return call

    def _forget(self, call: Call) -> None:
        self._calls.pop(call.id, None)


async def _closed(items: AsyncIterator[SourceItem]) -> None:
    """Close a generator now, not when it is collected."""
    close = getattr(items, "aclose", None)
    if close is not None:
        await close()


class SystemClock:
    """The machine's own time."""

    def now(self) -> float:
        """Monotonic seconds, comparable with `time.monotonic()`."""
        return time.monotonic()

    def utc(self) -> datetime:
        """The wall time in UTC."""
        return datetime.now(UTC)


def new_call_id(now: datetime) -> str:
    """`call_` and 26 characters that sort by time: 48 bits of milliseconds, 80 of chance."""
    number = int(now.timestamp() * 1000) << 80 | secrets.randbits(80)
    return "call_" + "".join(CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))
