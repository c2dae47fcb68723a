"""`streamtrace mic`: the microphone through the engine, a line per decision."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from pathlib import Path

from streamtrace.engine import Engine, drive
from streamtrace.events.wire import CallMediaEvent, CallScoreEvent, CloudEvent
from streamtrace.sources.mic import MicSource, OpenDevice, open_portaudio


class PrintDecisions:
    """A sink: every decision becomes a line on stdout."""

    def publish(self, event: CloudEvent) -> None:
        """Print it if it is a score."""
        if isinstance(event, CallMediaEvent):
            print("listening; Ctrl-C ends it", file=sys.stderr, flush=True)
        if not isinstance(event, CallScoreEvent):
            return
        data = event.data
        top = data.attribution[0]
        final = "  final" if data.is_final else ""
        print(
            f"{data.segment.end_ms / 1000:8.2f} s  {data.verdict.value:<13}"
            f"{data.spoof_probability:6.3f}  {top.source} {top.probability:.2f}{final}",
            flush=True,
        )


def run(
    *,
    device: str | None,
    seconds: float | None,
    model: Path | None,
    open_device: OpenDevice = open_portaudio,
) -> int:
    """Until `seconds` have passed (0) or Ctrl-C (130); the final decision comes either way."""
    return asyncio.run(_listen(device, seconds, model, open_device))


async def _listen(
    device: str | None, seconds: float | None, model: Path | None, open_device: OpenDevice
) -> int:
    async with Engine(model, slots=1) as engine:
        call = engine.open_call(protocol="mic", sink=PrintDecisions())
        source = MicSource(device, open_device=open_device)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await drive(source, call)
    return 0
